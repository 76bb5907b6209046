"""Starlette's class for a connection, with the count as an attribute.

Its own `decode()` takes an empty text for a binary message, so it is not used.
"""

from fastapi import FastAPI, WebSocket
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.types import Message


class Counter(WebSocketEndpoint):
    number = 0

    async def decode(self, websocket: WebSocket, message: Message) -> str | bytes:
        text: str | None = message.get("text")
        data: bytes | None = message.get("bytes")
        return text if text is not None else data or b""

    async def on_receive(self, websocket: WebSocket, data: str | bytes) -> None:
        self.number += 1
        if isinstance(data, str):
            await websocket.send_text(f"{self.number}: {data}")
        else:
            await websocket.send_bytes(data)


app = FastAPI(routes=[WebSocketRoute("/ws", Counter)])
