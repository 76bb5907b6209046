"""Step 3: no task for each recipient; one after the other. Who stalls, stalls all."""

import json

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Manager, Message


class InTurn(Manager):
    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        text = json.dumps(message, ensure_ascii=False)
        for each in list(self.active_connections):
            if each is not exclude and each in self.active_connections:
                await self.bounded(each, each.send_text(text))


app = create_app("In turn", InTurn())
