"""The open sockets in a list, a context manager around the talk, raw events in it."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI, WebSocket

logger = logging.getLogger("uvicorn")
app = FastAPI()

IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)

sockets: list[WebSocket] = []


@contextmanager
def listed(websocket: WebSocket) -> Iterator[None]:
    sockets.append(websocket)
    try:
        yield
    finally:
        sockets.remove(websocket)


@app.get("/connections")
async def connections() -> dict[str, int]:
    return {"connected": len(sockets)}


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    with listed(websocket):
        await websocket.send_text("Welcome to the chat room!")
        while True:
            receiving = asyncio.create_task(websocket.receive())
            done, _ = await asyncio.wait([receiving], timeout=IDLE_TIMEOUT)
            if not done:
                receiving.cancel()
                await websocket.close(1001, "Idle timeout")
                return
            match receiving.result():
                case {"text": "boom"}:
                    raise RuntimeError("boom")
                case {"text": "disconnect"}:
                    logger.warning("Disconnecting...")
                    await websocket.close()
                    return
                case {"text": str(text)}:
                    logger.info("Message received: %s", text)
                    await websocket.send_text("Message received!")
                case {"type": "websocket.disconnect"}:
                    logger.warning("Connection closed by the client")
                    return
