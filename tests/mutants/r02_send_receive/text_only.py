# fails: test_echoes_bytes, test_one_count_for_both, test_counts_empty_messages
# receive_text() fails on the first binary frame.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    number = 0
    while True:
        text = await websocket.receive_text()
        number += 1
        await websocket.send_text(f"{number}: {text}")
