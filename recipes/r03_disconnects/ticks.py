"""Push and answer on one connection, and stop pushing when the client leaves."""

import asyncio
import os
from itertools import count

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI(title="Pushing while receiving")

TICK_SECONDS = float(os.environ.get("TICK_SECONDS") or 1)


async def send(websocket: WebSocket, text: str) -> None:
    """Send a text. Raises WebSocketDisconnect if the connection is over."""
    try:
        await websocket.send_text(text)
    except RuntimeError:
        # What Starlette and uvicorn raise for a send after a close. Caught here, around
        # the send alone: anywhere else a RuntimeError is a defect, and must be seen.
        raise WebSocketDisconnect(1006) from None


async def push_ticks(websocket: WebSocket) -> None:
    for n in count(1):
        await asyncio.sleep(TICK_SECONDS)
        await send(websocket, f"tick {n}")


@app.websocket("/ws/ticks")
async def ticks(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await send(websocket, "Welcome to the chat room!")
        # Two tasks share a fate: if either fails, the group cancels the other.
        async with asyncio.TaskGroup() as tasks:
            pusher = tasks.create_task(push_ticks(websocket))
            async for _ in websocket.iter_text():
                await send(websocket, "Message received!")
            pusher.cancel()  # the client has left
    except* WebSocketDisconnect:
        pass  # the connection ended while something was sent
