"""Push and answer on one connection, and stop pushing when the client leaves."""

import asyncio
import os
from contextlib import suppress
from itertools import count

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI(title="Pushing while receiving")

TICK_SECONDS = float(os.environ.get("TICK_SECONDS") or 1)


async def push_ticks(websocket: WebSocket) -> None:
    # A send to a client that has left raises WebSocketDisconnect, one after the
    # server's own close RuntimeError. Who receives learns of it too, and decides.
    with suppress(WebSocketDisconnect, RuntimeError):
        for n in count(1):
            await asyncio.sleep(TICK_SECONDS)
            await websocket.send_text(f"tick {n}")


@app.websocket("/ws/ticks")
async def ticks(websocket: WebSocket) -> None:
    await websocket.accept()
    pusher = None
    # RuntimeError: the pusher's send has met the end before this receive did.
    try:
        await websocket.send_text("Welcome to the chat room!")
        pusher = asyncio.create_task(push_ticks(websocket))
        async for _ in websocket.iter_text():
            await websocket.send_text("Message received!")
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        if pusher is not None:
            pusher.cancel()
            await asyncio.wait([pusher])
