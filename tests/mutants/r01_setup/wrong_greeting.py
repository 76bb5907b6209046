# fails: test_greets_by_name
# The path parameter is there, but the greeting is still everybody's.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
    await websocket.close(code=1000, reason="Bye!")
