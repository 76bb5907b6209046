# FAILS. Sends, and never stops.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def flood(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    while True:
        await websocket.send_bytes(bytes(4 * 2**20))
