"""A client that comes back: `async for` connects again, and waits longer each time."""

import asyncio
import logging
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def main(address: str) -> None:
    connections = 0
    async for websocket in connect(f"ws://{address}/ws", proxy=None):
        connections += 1
        try:
            print(await websocket.recv())
            await websocket.send("disconnect")  # stands for whatever ends a connection
            await websocket.recv()
        except ConnectionClosed:
            print(f"Connection {connections} closed with {websocket.close_code}")
        if connections == 3:
            return


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    # Where nobody answers it tries again, and logs when.
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        asyncio.run(main(address))
    except InvalidHandshake as error:
        sys.exit(f"Refused: {error}. Is this recipe's server running there?")
    except KeyboardInterrupt:
        sys.exit("Given up.")
