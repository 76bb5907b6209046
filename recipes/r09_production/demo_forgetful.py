"""A client that does not wait for answers: what it loses it does not even know.

python -m recipes.r09_production.demo_forgetful [host:port]
"""

import asyncio
import json
import sys
from collections import deque

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

TEXTS = 100
PACE = 0.05  # seconds from text to text
BOUND = 60.0  # seconds for all


async def listen(websocket: ClientConnection, answered: set[str]) -> None:
    try:
        async for message in websocket:
            frame = json.loads(message)
            if frame["type"] == "echo":
                answered.add(frame["text"])
    except ConnectionClosed as closed:
        print(f"closed with {closed.rcvd.code if closed.rcvd else 1006}")


async def talk(
    websocket: ClientConnection, texts: deque[str], answered: set[str]
) -> None:
    listening = asyncio.create_task(listen(websocket, answered))
    try:
        while texts:
            await websocket.send(texts.popleft())  # and that is that
            await asyncio.sleep(PACE)
        await websocket.close()
    except ConnectionClosed:
        pass  # it comes back, and goes on with the next
    await listening


async def main(address: str = "127.0.0.1:8000") -> None:
    texts = deque(f"{n}" for n in range(TEXTS))
    answered: set[str] = set()
    connections = 0
    async with asyncio.timeout(BOUND):
        while texts:
            try:
                async with connect(f"ws://{address}/ws", proxy=None) as websocket:
                    connections += 1
                    await talk(websocket, texts, answered)
            except (OSError, InvalidHandshake) as error:
                if not connections:
                    sys.exit(f"No echo: {error}. Is this recipe's server running?")
                texts.popleft()  # nobody takes it
                await asyncio.sleep(PACE)
    print(f"{len(answered)} of {TEXTS} answered, {TEXTS - len(answered)} lost")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
