"""A room full of people, and one who says something: who hears it?

python -m recipes.r08_scale_out.client_crowd [host:port]
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

OTHERS = 23


async def hears(other: ClientConnection) -> bool:
    """Whether ada's message comes within a second."""
    try:
        async with asyncio.timeout(1):
            while json.loads(await other.recv())["sender"] != "ada":
                pass
        return True
    except TimeoutError:
        return False


async def main(address: str = "127.0.0.1:8000") -> None:
    async with AsyncExitStack() as stack:

        async def enter(name: str) -> ClientConnection:
            url = f"ws://{address}/chatroom/{name}"
            # No limit: nobody here reads what is said of joins and leaves.
            return await stack.enter_async_context(
                connect(url, proxy=None, max_queue=None)
            )

        others = [await enter(f"{n}") for n in range(OTHERS)]
        ada = await enter("ada")
        await ada.send("Can you hear me?")
        heard = sum(await asyncio.gather(*map(hears, others)))
    print(f"ada says something to {OTHERS} others")
    print("everybody hears it" if heard == OTHERS else "not everybody hears it")
    print(f"heard by {heard}")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:2]))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
