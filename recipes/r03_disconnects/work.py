"""Long work that its client can stop: it runs in a task, and the handler receives."""

import asyncio
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI(title="Long work")

WORDS = [
    "Once",
    "a",
    "client",
    "asked",
    "and",
    "left",
    "before",
    "the",
    "answer",
    "came",
]


async def write(websocket: WebSocket) -> None:
    """Send word by word, as a language model's answer comes."""
    with suppress(WebSocketDisconnect, RuntimeError):  # the client is leaving
        for word in WORDS:
            await asyncio.sleep(0.05)  # stands for the model
            await websocket.send_text(word)
        await websocket.send_text("(done)")


async def stop(work: asyncio.Task[None]) -> bool:
    """End the work and wait until it has ended; whether there was any left to do."""
    stopped = work.cancel()
    await asyncio.wait([work])  # `await work` would raise what ended it
    return stopped


@app.websocket("/ws")
async def converse(websocket: WebSocket) -> None:
    await websocket.accept()
    work: asyncio.Task[None] | None = None
    try:
        while True:
            text = await websocket.receive_text()
            # One at a time: a new question ends the answer to the last one.
            if work and await stop(work):
                await websocket.send_text("(stopped)")
            work = None if text == "stop" else asyncio.create_task(write(websocket))
    except (WebSocketDisconnect, RuntimeError):
        pass  # closed, cut, or gone while "(stopped)" was sent
    finally:
        # Who has left waits for no answer: without this the work goes on for nobody.
        if work:
            await stop(work)
