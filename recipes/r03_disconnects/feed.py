"""One task that runs as long as the app does, and feeds every open socket."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")

RETRY = 1.0  # seconds

# What waits for each listener. One place: only the newest is worth anything.
waiting: set[asyncio.Queue[str]] = set()


def publish(news: str) -> None:
    for queue in waiting:
        if queue.full():
            queue.get_nowait()  # this listener is slow; it misses the older one
        queue.put_nowait(news)


async def watch() -> None:
    """Stands for a subscription: a `LISTEN` of Postgres, a camera, a broker."""
    number = 0
    while True:
        await asyncio.sleep(0.05)
        number += 1
        publish(f"news {number}")


async def watch_for_good() -> None:
    while True:
        try:
            await watch()
        except Exception:
            # A task's error is told to who awaits it, and nobody awaits this one.
            logger.exception("The feed broke off")
        await asyncio.sleep(RETRY)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    watching = asyncio.create_task(watch_for_good())
    yield
    watching.cancel()


app = FastAPI(title="A feed", lifespan=lifespan)


async def forward(websocket: WebSocket, queue: asyncio.Queue[str]) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it is leaving
        while True:
            await websocket.send_text(await queue.get())


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue(1)
    waiting.add(queue)
    forwarding = asyncio.create_task(forward(websocket, queue))
    try:
        # Nothing is expected. But only who receives notices that the client has left.
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        waiting.discard(queue)
        forwarding.cancel()
