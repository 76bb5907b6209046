"""A broken main: "Our clients come back again and again", say those who use it.

A client library reconnects after 1001, for the server goes away and another may come.
The exercise `test_exercise.py` is to catch the bug.
"""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Setting up WebSockets, with a bug")


@app.websocket("/ws")
async def welcome(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
    await websocket.close(1001)
