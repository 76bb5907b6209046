"""Step 4: in turn, without waiting for anybody."""

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.isolation import Isolating
from recipes.r06_benchmarking.manager import Message, encode


class Isolated(Isolating):
    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        text = encode(message)
        for each in list(self.active_connections):
            if each is not exclude:
                self.put(each, text)

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        self.put(websocket, encode(message))


app = create_app("Isolated", Isolated())
