"""Starlette's class for a connection, and a timer that each message sets anew."""

import asyncio
import logging
import os
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute

logger = logging.getLogger("uvicorn")

IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)


class Chat(WebSocketEndpoint):
    encoding = "text"
    open = 0

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        Chat.open += 1
        self.watch = asyncio.create_task(self.close_if_idle(websocket))
        await websocket.send_text("Welcome to the chat room!")

    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        logger.info("Message received: %s", data)
        self.watch.cancel()
        if data == "boom":
            raise RuntimeError("boom")
        if data == "disconnect":
            logger.warning("Disconnecting...")
            await websocket.close()
            return
        self.watch = asyncio.create_task(self.close_if_idle(websocket))
        await websocket.send_text("Message received!")

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        self.watch.cancel()
        Chat.open -= 1

    async def close_if_idle(self, websocket: WebSocket) -> None:
        await asyncio.sleep(IDLE_TIMEOUT)
        with suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(1001, "Idle timeout")


app = FastAPI(routes=[WebSocketRoute("/ws", Chat)])


@app.get("/connections")
async def connections() -> dict[str, int]:
    return {"connected": Chat.open}
