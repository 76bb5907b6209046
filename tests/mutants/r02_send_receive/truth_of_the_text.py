# fails: test_counts_empty_messages
# An empty text is taken for "no text".
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    number = 0
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        number += 1
        if message.get("text"):
            await websocket.send_text(f"{number}: {message['text']}")
        else:
            await websocket.send_bytes(message.get("bytes") or b"")
