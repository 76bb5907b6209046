"""One client never reads. How long do the others wait for the next message?

    python -m recipes.r05_chat.demo_stalled [host:port]

It ends after 150 messages of 64 KiB, or when nothing has come for 8 s.
"""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

TEXT = "x" * 64 * 1024


async def main(address: str = "127.0.0.1:8000") -> None:
    room = f"ws://{address}/chatroom"
    async with (
        # Not compressed, so that it fills up soon. Nobody calls its recv().
        connect(f"{room}/cy", proxy=None, compression=None, close_timeout=0),
        connect(f"{room}/bob", proxy=None) as bob,
        connect(f"{room}/ada", proxy=None) as ada,
    ):
        longest, heard = 0.0, 0
        talking = asyncio.create_task(talk(ada))
        try:
            while heard < 150:
                since = time.monotonic()
                async with asyncio.timeout(8):
                    message = json.loads(await bob.recv())
                longest = max(longest, time.monotonic() - since)
                heard += message["sender"] == "ada"
                if message["sender"] == "system":
                    print("bob sees:", message["message"])
            print(f"bob heard all 150; the longest wait was {int(longest)} s")
        except TimeoutError:
            print("bob hears nothing any more")
        talking.cancel()
        await asyncio.wait([talking])


async def talk(ada: ClientConnection) -> None:
    for _ in range(150):
        await ada.send(TEXT)
        while json.loads(await ada.recv())["sender"] != "You":
            pass


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:2]))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No conversation: {error}. Is the server running?")
