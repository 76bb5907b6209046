"""Clients that read slowly or not at all. How long does bob wait for what ada says?

    python -m recipes.r05_chat.attack_slow [host:port] [stalled | slow | five]

stalled: cy reads nothing. slow: cy reads 250 kB/s. five: five read nothing, and their
buffers are full one after the other. It ends after 200 texts of 64 KiB, or when nothing
has come for 8 s.
"""

import asyncio
import json
import socket
import sys
import time
from contextlib import AsyncExitStack, suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

TEXT = "x" * 64 * 1024
TEXTS = 200


async def main(address: str, kind: str) -> None:
    async with AsyncExitStack() as room:
        buffers = [4096 * 16**n for n in range(5 if kind == "five" else 1)]
        for buffer in buffers:
            cy = await room.enter_async_context(enter(address, "cy", buffer))
            if kind == "slow":
                reading = asyncio.create_task(read_slowly(cy))
                room.callback(reading.cancel)
        bob = await room.enter_async_context(enter(address, "bob"))
        ada = await room.enter_async_context(enter(address, "ada"))
        talking = asyncio.create_task(talk(ada))
        await listen(bob)
        talking.cancel()
        await asyncio.wait([talking])


def enter(address: str, name: str, buffer: int | None = None) -> connect:
    host, _, port = address.rpartition(":")
    connection = socket.socket()
    if buffer:  # a small one is full sooner; it must be set before connecting
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.connect((host, int(port)))
    # Not compressed, so that it fills up soon.
    url = f"ws://{address}/chatroom/{name}"
    return connect(url, sock=connection, compression=None, max_queue=1, close_timeout=0)


async def talk(ada: ClientConnection) -> None:
    for _ in range(TEXTS):
        await ada.send(TEXT)
        while json.loads(await ada.recv())["sender"] != "You":
            pass


async def read_slowly(cy: ClientConnection) -> None:
    with suppress(ConnectionClosed):  # it is let go
        async for message in cy:
            await asyncio.sleep(len(message) / 250_000)


async def listen(bob: ClientConnection) -> None:
    heard, waits = 0, []
    while heard < TEXTS:
        since = time.monotonic()
        try:
            async with asyncio.timeout(8):
                message = json.loads(await bob.recv())
        except TimeoutError:
            print("bob hears nothing any more")
            return
        waits.append(time.monotonic() - since)
        heard += message["sender"] == "ada"
        if message["sender"] == "system":
            print("bob sees:", message["message"])
    held_up = sum(wait for wait in waits if wait > 0.1)
    print(f"bob heard all {heard}; he was held up for {held_up:.0f} s")


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    kind = sys.argv[2] if len(sys.argv) > 2 else "stalled"
    try:
        asyncio.run(main(address, kind))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No conversation: {error}. Is the server running?")
