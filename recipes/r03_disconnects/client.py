"""Say hello, ask the server to disconnect, and print how it closed."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def main(address: str = "127.0.0.1:8000") -> None:
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        print(await websocket.recv())
        for text in ("Hello!", "disconnect"):
            await websocket.send(text)
            try:
                print(await websocket.recv())
            except ConnectionClosed:
                print(f"Closed with code {websocket.close_code}")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:2]))
    except (OSError, InvalidHandshake, ConnectionClosed) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
