# fails: test_says_bye
# The function ends without closing: no close frame, the client sees 1006.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"Welcome, {name}!")
