"""Starlette's class for a connection; a middleware refuses strangers."""

from typing import Literal

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import Headers
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class OnlyKnown:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope["type"] != "websocket" or Headers(scope=scope).get(
            "Authorization", ""
        )
        if known:
            await self.app(scope, receive, send)
        else:
            challenge = {"WWW-Authenticate": "Bearer"}
            response = PlainTextResponse("Who are you?", 401, challenge)
            await WebSocket(scope, receive, send).send_denial_response(response)


class Say(BaseModel, extra="forbid"):
    type: Literal["say"]
    text: str = Field(min_length=1, max_length=280)


class Sayer(WebSocketEndpoint):
    wrong = 0

    async def decode(self, websocket: WebSocket, message: Message) -> str | None:
        return message.get("text")

    async def on_receive(self, websocket: WebSocket, data: str | None) -> None:
        if data is None:
            await websocket.close(1003, "Text only")
            return
        try:
            text = Say.model_validate_json(data).text
        except ValidationError as error:
            self.wrong += 1
            if self.wrong == 3:
                await websocket.close(1008, "Too many invalid messages")
            elif self.wrong < 3:
                detail = f"{error.error_count()} mistakes"
                await websocket.send_json({"type": "error", "detail": detail})
        else:
            self.wrong = 0
            await websocket.send_json({"type": "said", "text": text})


app = FastAPI(routes=[WebSocketRoute("/ws", Sayer)])
app.add_middleware(OnlyKnown)
