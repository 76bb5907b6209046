# fails: test_says_bye
# `Bye!` is sent as a message; the close has no reason.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"Welcome, {name}!")
    await websocket.send_text("Bye!")
    await websocket.close()
