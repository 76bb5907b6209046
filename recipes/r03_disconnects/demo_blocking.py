"""A call that blocks stops every connection of the process, not only its own."""

import asyncio
import time

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Blocking")


def work() -> str:
    time.sleep(1)  # as a synchronous database driver does, or a long computation
    return "done"


@app.websocket("/blocking")
async def blocking(websocket: WebSocket) -> None:
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_text("working")
        await websocket.send_text(work())


@app.websocket("/in-a-thread")
async def in_a_thread(websocket: WebSocket) -> None:
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_text("working")
        await websocket.send_text(await asyncio.to_thread(work))


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
