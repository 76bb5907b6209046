"""Step 2: the message is encoded once, for all recipients."""

import asyncio

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Manager, Message, encode


class EncodeOnce(Manager):
    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        text = encode(message)
        everyone = [each for each in self.active_connections if each is not exclude]
        # Shielded: if its sender goes meanwhile, it reaches the others all the same.
        sending = asyncio.gather(
            *(self.bounded(each, each.send_text(text)) for each in everyone)
        )
        await asyncio.shield(sending)


app = create_app("Encode once", EncodeOnce())
