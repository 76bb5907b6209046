# fails: test_counts_texts
# The first message is number 0.
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
        if message.get("text") is not None:
            await websocket.send_text(f"{number}: {message['text']}")
        else:
            await websocket.send_bytes(message["bytes"])
        number += 1
