"""A client that says nothing: how long does its line last?

python -m recipes.r09_production.client_silent [host:port]
"""

import asyncio
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

SECONDS = 5.0


async def main(address: str = "127.0.0.1:8000") -> None:
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        await websocket.recv()  # hello
        began = time.monotonic()
        try:
            async with asyncio.timeout(SECONDS):
                await websocket.recv()
        except TimeoutError:
            print(f"still there after {SECONDS:.0f} s")
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            print(f"closed with {code} after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:2]))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No line: {error}. Is this recipe's server running?")
