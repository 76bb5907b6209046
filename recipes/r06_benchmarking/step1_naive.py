"""Step 1: each recipient's copy is encoded anew, and a task sends it."""

import asyncio

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Manager, Message


class Naive(Manager):
    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        everyone = [each for each in self.active_connections if each is not exclude]
        # Shielded: if its sender goes meanwhile, it reaches the others all the same.
        sending = asyncio.gather(
            *(self.send_personal_message(message, each) for each in everyone)
        )
        await asyncio.shield(sending)


app = create_app("Naive", Naive())
