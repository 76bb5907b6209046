# fails: test_one_count_for_both
# Binary messages are answered, but not counted.
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
            number += 1
            await websocket.send_text(f"{number}: {message['text']}")
        else:
            await websocket.send_bytes(message["bytes"])
