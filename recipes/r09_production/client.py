"""A client that loses nothing: it waits for each answer, and comes back.

python -m recipes.r09_production.client [host:port]
"""

import asyncio
import json
import random
import sys
from collections import deque

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

TEXTS = 100
PACE = 0.05  # seconds from an answer to the next text
PATIENCE = 10.0  # seconds for an answer
MOST_TRIES = 20  # in a row, that came to nothing
COMES_BACK = {429, 502, 503, 504}


async def talk(websocket: ClientConnection, texts: deque[str]) -> float:
    """Send what is not answered yet; the seconds after which to come back."""
    while texts:
        await websocket.send(texts[0])
        restart = None
        frame = {"type": ""}
        while frame["type"] != "echo":
            async with asyncio.timeout(PATIENCE):
                frame = json.loads(await websocket.recv())
            if frame["type"] == "restart":
                restart = float(frame["retry_after"])
        texts.popleft()  # only now: what was not answered is sent again
        if restart is not None:
            print("told to come back")
            return restart
        await asyncio.sleep(PACE)
    return 0.0


async def main(address: str = "127.0.0.1:8000") -> None:
    texts = deque(f"{n}" for n in range(TEXTS))
    connections = tries = 0
    while texts:
        wait = random.uniform(0, min(5.0, 0.1 * 2**tries))  # others come back, too
        left = len(texts)
        try:
            async with connect(f"ws://{address}/ws", proxy=None) as websocket:
                connections += 1
                wait = await talk(websocket, texts)
        except ConnectionClosed as closed:
            print(f"closed with {closed.rcvd.code if closed.rcvd else 1006}")
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            print(f"refused with HTTP {status}")
            if not connections and status not in COMES_BACK:
                sys.exit("That will not change by asking again.")
            wait += float(refusal.response.headers.get("Retry-After", 0))
        except (OSError, InvalidHandshake) as error:
            if not connections:
                sys.exit(f"No conversation: {error}. Is this recipe's server running?")
            print("nobody is there")
        tries = 0 if len(texts) < left else tries + 1
        if tries == MOST_TRIES:
            break
        await asyncio.sleep(wait if texts else 0)
    print(f"{TEXTS - len(texts)} of {TEXTS} answered, over {connections} connections")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
