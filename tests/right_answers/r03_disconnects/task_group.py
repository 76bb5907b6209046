"""Two tasks for each client: one listens, the other watches the time."""

import asyncio
import logging
import os
import time
from collections import Counter

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)

logger = logging.getLogger("uvicorn")
app = FastAPI()
here: Counter[str] = Counter()


@app.get("/connections")
async def connections() -> dict[str, int]:
    return {"connected": here["open"]}


class Talk:
    def __init__(self, websocket: WebSocket) -> None:
        self.websocket, self.heard = websocket, time.monotonic()

    async def listen(self) -> None:
        await self.websocket.send_text("Welcome to the chat room!")
        async for text in self.websocket.iter_text():
            self.heard = time.monotonic()
            logger.info("Message received: %s", text)
            if text == "boom":
                raise RuntimeError("boom")
            if text == "disconnect":
                logger.warning("Disconnecting...")
                await self.websocket.close()
                return
            await self.websocket.send_text("Message received!")

    async def watch(self) -> None:
        left = IDLE_TIMEOUT
        while left > 0:
            await asyncio.sleep(left)
            left = self.heard + IDLE_TIMEOUT - time.monotonic()
        await self.websocket.close(1001, "Idle timeout")


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    here["open"] += 1
    talk = Talk(websocket)
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(talk.watch())
            listening = tasks.create_task(talk.listen())
            await asyncio.wait(
                [watching, listening], return_when=asyncio.FIRST_COMPLETED
            )
            watching.cancel()
            listening.cancel()
    except* WebSocketDisconnect:
        logger.warning("Connection closed by the client")
    finally:
        here["open"] -= 1
        logger.info("%d connected", here["open"])
