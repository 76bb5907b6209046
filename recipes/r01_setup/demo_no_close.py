"""What a handler does that just ends: no close frame, and its client sees 1006."""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Ending without closing")


@app.websocket("/ws")
async def welcome(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
