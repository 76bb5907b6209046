"""Three people in the room. One sends bytes; what do the others notice?"""

import asyncio
import json
import sys
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def show(name: str, websocket: ClientConnection) -> None:
    try:
        async with asyncio.timeout(1):
            message = json.loads(await websocket.recv())
        print(f"{name} sees {message['sender']}: {message['message']}")
    except ConnectionClosed:
        print(f"{name} is closed with {websocket.close_code}")
    except TimeoutError:
        print(f"{name} sees nothing")


async def main(address: str) -> None:
    room = f"ws://{address}/chatroom"
    async with (
        connect(f"{room}/ada", proxy=None) as ada,
        connect(f"{room}/bob", proxy=None) as bob,
    ):
        await show("ada", ada)
        async with connect(f"{room}/cy", proxy=None) as cy:
            await show("ada", ada)
            await show("bob", bob)
            await cy.send(b"bytes")
            await cy.wait_closed()
            print(f"cy is closed with {cy.close_code}")
        await show("ada", ada)
        await show("bob", bob)
        for text in ("Hello!", "Are you there?"):
            with suppress(ConnectionClosed):
                await ada.send(text)
            await show("ada", ada)
            await show("bob", bob)


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
