"""Exercise: count the open connections, and let silent clients go.

Run it:    uvicorn recipes.r03_disconnects.exercise:app
Check it:  pytest --mine tests/test_r03_disconnects.py
"""

import logging
import os
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Exercise: count connections")

IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)


@app.get("/connections")
async def connections() -> dict[str, int]:
    # TODO 1: the number of sockets that are open on /ws now. It must return to what
    # it was however a connection ends.
    return {"connected": 0}


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await converse(websocket)
    except WebSocketDisconnect as gone:
        who = "server" if gone.code in {1009, 1012} else "client"
        logger.warning("Connection closed by the %s", who)


async def converse(websocket: WebSocket) -> None:
    await reply(websocket, "Welcome to the chat room!")
    while True:
        # TODO 2: a client that is silent for IDLE_TIMEOUT seconds is closed with the
        # code 1001 and the reason `Idle timeout`.
        text = await websocket.receive_text()
        logger.info("Message received: %s", text)
        if text == "boom":
            raise RuntimeError("boom")  # given: a handler that fails
        if text == "disconnect":
            logger.warning("Disconnecting...")
            await close(websocket, 1000)
            return
        await reply(websocket, "Message received!")


async def reply(websocket: WebSocket, text: str) -> None:
    with suppress(RuntimeError):  # the server has closed; the next receive says why
        await websocket.send_text(text)


async def close(websocket: WebSocket, code: int, reason: str = "") -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # closed already
        await websocket.close(code, reason)
