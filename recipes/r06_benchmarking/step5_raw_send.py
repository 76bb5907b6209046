"""Step 5: the same, past the layers between the handler and the server."""

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.isolation import Sending
from recipes.r06_benchmarking.raw_send import send_raw
from recipes.r06_benchmarking.step4_isolated import Isolated


class RawSend(Isolated):
    def send(self, websocket: WebSocket, text: str) -> Sending:
        return send_raw(websocket, text)


app = create_app("Raw send", RawSend())
