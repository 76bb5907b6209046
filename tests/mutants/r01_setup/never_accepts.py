# fails: test_greets_by_name, test_says_bye
# Sent without accept(): the handler crashes and the handshake is answered with 500.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.send_text(f"Welcome, {name}!")
    await websocket.close(code=1000, reason="Bye!")
