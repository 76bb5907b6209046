"""Knock without a header and with one; print the refusal and the closes."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException


async def talk(address: str, text: str, headers: dict[str, str]) -> None:
    print(f"{text!r} with {headers or 'no header'}:")
    try:
        async with connect(
            f"ws://{address}/ws", additional_headers=headers, proxy=None
        ) as websocket:
            print(" ", await websocket.recv())
            await websocket.send(text)
            print(" ", await websocket.recv())
    except InvalidStatus as refusal:
        print(f"  refused with HTTP {refusal.response.status_code}")
    except ConnectionClosed:
        print(f"  closed with {websocket.close_code} {websocket.close_reason!r}")


async def main(address: str) -> None:
    await talk(address, "Hello!", {})
    for text in ("Hello!", "disconnect", "a bad message"):
        await talk(address, text, {"Authorization": "me"})


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, WebSocketException) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
