"""Step 2: the message is encoded once, for all recipients."""

import asyncio
import json

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Manager, Message


class EncodeOnce(Manager):
    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        text = json.dumps(message, ensure_ascii=False)
        everyone = [each for each in self.active_connections if each is not exclude]
        await asyncio.gather(
            *(self.bounded(each, each.send_text(text)) for each in everyone)
        )


app = create_app("Encode once", EncodeOnce())
