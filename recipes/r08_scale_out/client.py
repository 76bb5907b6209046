"""One client that goes and comes back: what was said meanwhile, and a retry.

    python -m recipes.r08_scale_out.client [host:port [host:port]]

With two addresses it comes back to the second, another worker.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake


async def show(name: str, websocket: ClientConnection) -> str:
    async with asyncio.timeout(5):
        message = json.loads(await websocket.recv())
    print(f"{name} sees {message['sender']}: {message['message']}")
    return str(message.get("id"))


async def main(address: str = "127.0.0.1:8000", other: str | None = None) -> None:
    ada_url = f"ws://{address}/chatroom/ada?client=ada-1"
    again_url = f"ws://{other or address}/chatroom/ada?client=ada-1"
    keyed = json.dumps({"key": "1", "message": "Hello!"})
    async with connect(f"ws://{address}/chatroom/bob", proxy=None) as bob:
        async with connect(ada_url, proxy=None) as ada:
            await show("bob", bob)
            await ada.send(keyed)
            last = await show("ada", ada)
            await show("bob", bob)
        await show("bob", bob)
        await bob.send("Are you there?")
        await show("bob", bob)
        print("ada comes back, since the message that she saw last")
        async with connect(f"{again_url}&since={last}", proxy=None) as ada:
            await show("bob", bob)
            await show("ada", ada)
            await ada.send(keyed)  # did it arrive? She asks by sending it again
            await show("ada", ada)
            await ada.send("Yes")
            await show("ada", ada)
            await show("bob", bob)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:3]))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
