"""The smallest WebSocket endpoint: accept, send one message, close."""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Setting up WebSockets")


@app.websocket("/ws")
async def welcome(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
    await websocket.close()
