"""Past the framework: the `send` that the server gave, without the layers around it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, WebSocket
from starlette.types import Receive, Scope, Send


class KeepSend(FastAPI):
    """An app that keeps the server's own `send` in the scope.

    FastAPI wraps it several times on its way to the handler: to know whether a
    response has begun, and in which state the socket is. Each is a coroutine more for
    each delivery. Who sends past them must not need them: ours sends texts only, takes
    the server's exceptions for the client's end, and leaves closing to the WebSocket
    object. `at_start` is called with the server's `send` for lifespan events.
    """

    def __init__(self, title: str, at_start: Callable[[Send], None]) -> None:
        super().__init__(title=title)
        self.at_start = at_start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope["server_send"] = send
        elif scope["type"] == "lifespan":
            self.at_start(send)
        await super().__call__(scope, receive, send)


def send_raw(websocket: WebSocket, text: str) -> Coroutine[Any, Any, None]:
    """`websocket.send_text(text)`, past Starlette (ASGI's send event)."""
    event: dict[str, Any] = {"type": "websocket.send", "text": text}
    sending: Coroutine[Any, Any, None] = websocket.scope["server_send"](event)
    return sending
