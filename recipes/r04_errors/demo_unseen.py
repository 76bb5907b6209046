"""What sees HTTP alone: `http` middleware, and a handler for every Exception."""

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response, WebSocket

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Not seen")


@app.middleware("http")
async def watch(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    logger.info("The middleware saw %s", request.url.path)
    return await call_next(request)


@app.exception_handler(Exception)
async def answer(request: Request, error: Exception) -> Response:
    logger.info("The exception handler saw %r", error)
    return Response("Something went wrong", status_code=500)


@app.get("/fail")
async def fail() -> None:
    raise ValueError("of the route")


@app.websocket("/ws")
async def fail_too(websocket: WebSocket) -> None:
    await websocket.accept()
    raise ValueError("of the socket")
