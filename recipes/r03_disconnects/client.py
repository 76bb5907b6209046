"""Say hello, ask the server to disconnect, and print how it closed."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def main(address: str) -> None:
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        print(await websocket.recv())
        for text in ("Hello!", "disconnect"):
            await websocket.send(text)
            try:
                print(await websocket.recv())
            except ConnectionClosed:
                print(f"Closed with code {websocket.close_code}")


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except ConnectionClosed as closed:
        sys.exit(f"The server closed: {closed}.")
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No connection: {error}. Is this recipe's server running?")
