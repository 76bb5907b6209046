"""A middleware that sees sockets: an error nobody caught closes with 1011, not 1006."""

import logging
from contextlib import suppress

from fastapi import FastAPI, WebSocket
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("uvicorn")
REASON = "Internal error"


class LastResort:
    """Closes a socket whose handler failed, and says in the log why."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        accepted = False

        async def watch(message: Message) -> None:
            nonlocal accepted
            accepted |= message["type"] == "websocket.accept"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            if not accepted:
                raise  # uvicorn answers HTTP 500
            logger.exception("The handler of %s failed", scope["path"])
            # OSError: the client has left. RuntimeError: it is closed already.
            with suppress(OSError, RuntimeError):
                await send({"type": "websocket.close", "code": 1011, "reason": REASON})


app = FastAPI(title="A last resort")
app.add_middleware(LastResort)


@app.websocket("/ws")
async def fail(websocket: WebSocket) -> None:
    await websocket.accept()
    raise ValueError("of the socket")
