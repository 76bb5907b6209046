"""Send a text and print the answer; the same with JSON and with bytes."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


async def main(address: str) -> None:
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        print(await websocket.recv())
        await websocket.send("Hello!")
        print(await websocket.recv())
    async with connect(f"ws://{address}/ws/json", proxy=None) as websocket:
        await websocket.send(json.dumps({"room": 7}))
        print(json.loads(await websocket.recv()))
    async with connect(f"ws://{address}/ws/binary", proxy=None) as websocket:
        await websocket.send(b"\x00\xff")
        print(await websocket.recv())


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, WebSocketException) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
