# fails: test_counts_texts, test_echoes_bytes, test_one_count_for_both, test_counts_each_connection, test_counts_empty_messages
# No loop: one message, one answer, the end.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    message = await websocket.receive()
    if message.get("text") is not None:
        await websocket.send_text(f"1: {message['text']}")
    elif message.get("bytes") is not None:
        await websocket.send_bytes(message["bytes"])
