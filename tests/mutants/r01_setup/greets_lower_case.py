# fails: test_greets_by_name
# The name is made pretty, and is no longer the name.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"Welcome, {name.capitalize()}!")
    await websocket.close(code=1000, reason="Bye!")
