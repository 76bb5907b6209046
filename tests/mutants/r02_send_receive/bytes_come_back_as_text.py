# fails: test_echoes_bytes, test_one_count_for_both, test_counts_empty_messages
# Binary messages are decoded and answered as text.
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
        text = message.get("text")
        if text is None:
            await websocket.send_text(message["bytes"].decode(errors="replace"))
        else:
            await websocket.send_text(f"{number}: {text}")
