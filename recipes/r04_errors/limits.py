"""Limits of one's own: open sockets, a token first and soon, messages a second."""

import asyncio
import os
import time
from contextlib import suppress

from fastapi import (
    FastAPI,
    HTTPException,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)

from .main import close, receive_text_only, reply

app = FastAPI(title="Limits")
app.exception_handler(WebSocketException)(close)

MOST_SOCKETS = float(os.environ.get("MOST_SOCKETS") or 100)
PATIENCE = float(os.environ.get("PATIENCE") or 5)
# Messages a second in the long run, and at once after a pause.
RATE, BURST = 5, 10

open_sockets: set[WebSocket] = set()


@app.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    if len(open_sockets) >= MOST_SOCKETS:
        raise HTTPException(503, headers={"Retry-After": "5"})
    open_sockets.add(websocket)
    try:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            await check_token(websocket)
            await answer(websocket)
    finally:
        open_sockets.discard(websocket)


async def check_token(websocket: WebSocket) -> None:
    """The first message has to be the token, and to come soon."""
    token = ""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            token = await receive_text_only(websocket)
    if token != "open sesame":  # recipe 7 has real ones
        raise WebSocketException(4401, "No valid token")


async def answer(websocket: WebSocket) -> None:
    allowed, since = float(BURST), time.monotonic()
    while True:
        await receive_text_only(websocket)
        now = time.monotonic()
        allowed = min(BURST, allowed + (now - since) * RATE) - 1
        since = now
        if allowed < 0:
            raise WebSocketException(1008, "Too many messages")
        await reply(websocket, "Message received!")
