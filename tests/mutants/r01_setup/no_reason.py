# fails: test_says_bye
# Closed as in the recipe: the code is right, the reason is missing.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"Welcome, {name}!")
    await websocket.close()
