"""A broken main: "Our counters at zero come back as null", say those who use /ws/json.

The exercise `test_exercise.py` is to catch it.
"""

import logging

from fastapi import FastAPI, WebSocket

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Sending and receiving messages, with a bug")


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
    while True:
        text = await websocket.receive_text()
        logger.info("Message received: %s", text)
        await websocket.send_text("Message received!")


@app.websocket("/ws/json")
async def echo_json(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        value = await websocket.receive_json()
        await websocket.send_json({"received": value or None})


@app.websocket("/ws/binary")
async def echo_binary(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        data = await websocket.receive_bytes()
        await websocket.send_bytes(data)
