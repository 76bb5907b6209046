"""A handler that never receives: it notices neither its client's end nor Ctrl-C."""

import asyncio

from fastapi import FastAPI, WebSocket

app = FastAPI(title="A handler that does not receive")


@app.websocket("/ws")
async def ignore(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
    await asyncio.sleep(3600)
