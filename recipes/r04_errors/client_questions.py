"""Asks three things at once; each answer finds who has asked, by its number."""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake


class Asker:
    """Whoever asks awaits a future; whoever receives sets it."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.numbers: Iterator[int] = itertools.count(1)
        self.waiting: dict[int, asyncio.Future[Any]] = {}

    async def receive(self) -> None:
        async for text in self.websocket:
            answer = json.loads(text)
            print("came:", answer)
            if (future := self.waiting.get(answer.get("id"))) and not future.done():
                future.set_result(answer)

    async def ask(self, **question: float) -> Any:
        number = next(self.numbers)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self.websocket.send(json.dumps({"id": number, **question}))
            async with asyncio.timeout(5):
                answer = await self.waiting[number]
        finally:
            del self.waiting[number]
        return answer.get("result", answer.get("error"))


async def main(address: str) -> None:
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        asker = Asker(websocket)
        receiving = asyncio.create_task(asker.receive())
        results = await asyncio.gather(
            asker.ask(divide=6, by=2, seconds=0.4),
            asker.ask(divide=9, by=2, seconds=0.2),
            asker.ask(divide=1, by=0),
        )
        print(*results, sep=", ")
        receiving.cancel()


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No connection: {error}. Is this recipe's questions running?")
