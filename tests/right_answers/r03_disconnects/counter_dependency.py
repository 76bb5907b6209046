"""A number instead of a set; a dependency counts up and down around the handler."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")
app = FastAPI()
app.state.open = 0

IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)


@app.get("/connections")
def connections() -> dict[str, int]:
    return {"connected": app.state.open}


async def counted() -> AsyncIterator[None]:
    app.state.open += 1
    try:
        yield
    finally:
        app.state.open -= 1


@app.websocket("/ws", dependencies=[Depends(counted)])
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await websocket.send_text("Welcome to the chat room!")
        while True:
            text = await asyncio.wait_for(websocket.receive_text(), IDLE_TIMEOUT)
            logger.info("Message received: %s", text)
            if text == "boom":
                raise RuntimeError("boom")
            if text == "disconnect":
                logger.warning("Disconnecting...")
                await websocket.close()
                break
            await websocket.send_text("Message received!")
    except TimeoutError:
        await websocket.close(1001, "Idle timeout")
    except WebSocketDisconnect:
        logger.warning("Connection closed by the client")
