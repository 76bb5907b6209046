"""Asks, stops the answer after two words, and asks again."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake


async def main(address: str) -> None:
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        await websocket.send("Tell me a story")
        words = [await websocket.recv(), await websocket.recv()]
        await websocket.send("stop")
        while words[-1] != "(stopped)":
            words.append(await websocket.recv())
        print(*words)
        await websocket.send("From the beginning, please")
        async for word in websocket:
            print(word, end=" ")
            if word == "(done)":
                break
        print()


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No connection: {error}. Is this recipe's work running?")
