"""Restarts, measured: who is refused, what is lost, how long an end takes.

    python -m recipes.r09_production.measure exits|lost|refused|workers

Linux and macOS; `refused` needs nginx. Each takes a minute at most.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from recipes.r09_production import client, demo_forgetful

HERE = Path(__file__).parent
DRAIN = "2"  # seconds


class Server:
    """uvicorn of this recipe, restarted at the same port."""

    def __init__(self, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.options = ["--port", self.address.split(":")[1], *options]

    async def start(self) -> None:
        app = "recipes.r09_production.main:app"
        command = ["env", f"DRAIN_SECONDS={DRAIN}", sys.executable, "-m", "uvicorn"]
        command += [app, *self.options, "--timeout-graceful-shutdown", "3"]
        self.process = await asyncio.create_subprocess_exec(
            *command, stderr=subprocess.DEVNULL
        )
        await until_it_answers(self.address)

    async def end(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; the seconds until the process has ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        await asyncio.wait_for(self.process.wait(), 30)
        return time.monotonic() - began

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self.process.returncode is None:
            await self.end()


async def until_it_answers(address: str) -> None:
    host, port = address.split(":")
    for _ in range(400):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        await asyncio.sleep(0.05)
    sys.exit(f"Nobody came to {address}.")


async def exits() -> None:
    """Seconds from SIGTERM to the exit, by who is there."""
    for kind in ("nobody", "polite", "silent", "stalled"):
        async with Server() as server, contextlib.AsyncExitStack() as stack:
            url = f"ws://{server.address}/ws"
            if kind == "stalled":
                # It reads no more than one message, and goes without a goodbye.
                opening = connect(url, proxy=None, max_queue=1, close_timeout=0)
                deaf = await stack.enter_async_context(opening)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(3):
                        while True:
                            await deaf.send("x" * 60_000)
            elif kind != "nobody":
                one = await stack.enter_async_context(connect(url, proxy=None))
                await one.recv()
            ending = asyncio.create_task(server.end())
            if kind == "polite":
                await one.recv()
                await one.close()
            print(f"{kind}: {await ending:.1f} s")


async def lost() -> None:
    """Texts lost in a restart of one server, by two clients."""
    for each in (demo_forgetful, client):
        async with Server() as server:
            print(f"{each.__name__.rpartition('.')[2]}:")
            talking = asyncio.create_task(each.main(server.address))
            await asyncio.sleep(1)
            await server.end()
            await server.start()
            await asyncio.wait_for(talking, 60)


async def knock(address: str, counts: Counter[str]) -> None:
    while True:
        try:
            async with asyncio.timeout(5), connect(f"ws://{address}/ws", proxy=None):
                counts["accepted"] += 1
        except InvalidStatus as refusal:
            counts[f"HTTP {refusal.response.status_code}"] += 1
        except (OSError, InvalidHandshake):
            counts["nobody there"] += 1
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def knocking(address: str) -> AsyncIterator[None]:
    """Knock meanwhile, and tell what became of it."""
    counts: Counter[str] = Counter()
    tasks = [asyncio.create_task(knock(address, counts)) for _ in range(4)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    print(f"{counts.total()} handshakes:", dict(counts))


@contextlib.asynccontextmanager
async def nginx(text: str) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(text, encoding="utf-8")
        command = ["nginx", "-e", "stderr", "-p", folder, "-c", str(file)]
        process = await asyncio.create_subprocess_exec(
            *command, stderr=subprocess.DEVNULL
        )
        yield
        process.terminate()
        await process.wait()


async def refused() -> None:
    """Two servers behind nginx, restarted one after the other."""
    given = (HERE / "nginx.conf").read_text(encoding="utf-8")
    for status in (" http_503", ""):
        async with Server() as one, Server() as other:
            front = Server().address
            text = given.replace(" http_503", status)
            for n, here in enumerate((front, one.address, other.address)):
                text = text.replace(f"127.0.0.1:800{n}", here)
            async with nginx(text), contextlib.AsyncExitStack() as stack:
                await until_it_answers(front)
                # Somebody is there, or there would be nothing to drain.
                for each in (one, other):
                    url = f"ws://{each.address}/ws"
                    await stack.enter_async_context(connect(url, proxy=None))
                print(f"proxy_next_upstream error timeout{status};")
                async with knocking(front):
                    for each in (one, other):
                        await each.end()
                        await each.start()


async def workers() -> None:
    """One uvicorn with two workers, replaced one after the other by SIGHUP."""
    async with Server("--workers", "2") as server, contextlib.AsyncExitStack() as stack:
        url = f"ws://{server.address}/ws"
        for _ in range(6):
            await stack.enter_async_context(connect(url, proxy=None))
        async with knocking(server.address):
            server.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(2 * float(DRAIN) + 6)
        await server.end()


if __name__ == "__main__":
    measures = {each.__name__: each for each in (exits, lost, refused, workers)}
    if sys.argv[1:2] == [] or sys.argv[1] not in measures:
        sys.exit(f"Which? One of: {', '.join(measures)}")
    asyncio.run(measures[sys.argv[1]]())
