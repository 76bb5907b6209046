"""How long does a room take to deliver everything, and does everything arrive?

python -m recipes.r06_benchmarking.benchmark_websocket
"""

import asyncio
import json
import logging
import multiprocessing
import random
import secrets
import sys
import time
from typing import NamedTuple

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

ADDRESS = ("127.0.0.1", 8765)
APP = "recipes.r06_benchmarking.main:app"
HEADER = "X-Benchmark"
READY_TIMEOUT, PATIENCE = 10.0, 5.0  # seconds: for the start, and for a message


class Result(NamedTuple):
    """What was sent, what should and what did arrive, and in how many seconds."""

    sent: int
    expected: int
    received: int
    seconds: float


def run_server(nonce: str = "", address: tuple[str, int] = ADDRESS) -> None:
    """Serve until this process is ended; handshakes are answered with the nonce."""
    host, port = address
    headers = [(HEADER, nonce)]
    config = uvicorn.Config(APP, host, port, headers=headers, log_level="warning")
    logging.getLogger("uvicorn").setLevel("WARNING")
    uvicorn.Server(config).run()


async def await_server(server: multiprocessing.Process, nonce: str) -> None:
    """Wait until our server answers; somebody else's at that port is not ours."""
    async with asyncio.timeout(READY_TIMEOUT):
        while server.is_alive():
            try:
                async with connect(url("probe"), proxy=None, open_timeout=1) as probe:
                    if probe.response and probe.response.headers[HEADER] == nonce:
                        return
            except (OSError, TimeoutError, WebSocketException, KeyError):
                await asyncio.sleep(0.05)
    raise RuntimeError("the server did not start; is its port taken?")


def url(name: str) -> str:
    host, port = ADDRESS
    return f"ws://{host}:{port}/chatroom/{name}"


async def connect_client(
    n: int,
    n_messages: int = 3,
    everyone: asyncio.Barrier | None = None,
    expected: int = 0,
) -> tuple[int, int]:
    """Join, talk when `everyone` is there, and read what is said, one's own included.

    Returns what it sent, and what it received of the messages `expected`.
    """
    async with connect(url(f"user{n}"), proxy=None, close_timeout=1) as websocket:
        await (everyone or asyncio.Barrier(1)).wait()
        reading = asyncio.create_task(count(websocket, expected or n_messages))
        for number in range(n_messages):
            await asyncio.sleep(random.uniform(0.05, 0.3))  # as people do
            await websocket.send(f"message {number} of {n}")
        return n_messages, await reading


async def count(websocket: ClientConnection, wanted: int) -> int:
    received = 0
    try:
        while received < wanted:
            async with asyncio.timeout(PATIENCE):
                message = json.loads(await websocket.recv())
            received += message["sender"] != "system"
    except (TimeoutError, WebSocketException):
        pass
    return received


async def main(n_clients: int = 10) -> Result:
    n_messages, nonce = 3, secrets.token_hex(8)
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=run_server, args=(nonce, ADDRESS), daemon=True)
    server.start()
    try:
        await await_server(server, nonce)  # type: ignore[arg-type]
        everyone = asyncio.Barrier(n_clients)
        each = n_messages * n_clients
        since = time.monotonic()
        counts = await asyncio.gather(
            *(connect_client(n, n_messages, everyone, each) for n in range(n_clients))
        )
        seconds = time.monotonic() - since
    finally:
        server.kill()
        server.join()
    sent, received = map(sum, zip(*counts, strict=True))
    print(f"{n_clients} clients sent {sent} messages.")
    print(f"{received} of {each * n_clients} deliveries came, in {seconds:.1f} s.")
    return Result(sent, each * n_clients, received, seconds)


if __name__ == "__main__":
    try:
        asyncio.run(main(*map(int, sys.argv[1:2])))
    except (OSError, RuntimeError, ValueError, WebSocketException) as error:
        sys.exit(f"No measurement: {error or 'the server did not answer in time'}")
