# fails: test_counts_texts, test_echoes_bytes, test_one_count_for_both, test_counts_each_connection, test_counts_empty_messages
# receive() does not raise when the client leaves; reading on after that does.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    number = 0
    while True:
        message = await websocket.receive()
        number += 1
        if message.get("text") is not None:
            await websocket.send_text(f"{number}: {message['text']}")
        elif message.get("bytes") is not None:
            await websocket.send_bytes(message["bytes"])
