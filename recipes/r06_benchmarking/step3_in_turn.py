"""Step 3: no task for each recipient; one after the other. Who stalls, stalls all."""

import asyncio

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Manager, Message, encode


class InTurn(Manager):
    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        # Shielded: if its sender goes meanwhile, it reaches the others all the same.
        await asyncio.shield(self.in_turn(encode(message), exclude))

    async def in_turn(self, text: str, exclude: WebSocket | None) -> None:
        for each in list(self.active_connections):
            if each is not exclude and each in self.active_connections:
                await self.bounded(each, each.send_text(text))


app = create_app("In turn", InTurn())
