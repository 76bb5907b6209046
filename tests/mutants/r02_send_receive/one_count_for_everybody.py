# fails: test_counts_texts, test_counts_each_connection
# The count lives in the module, so all connections share it.
from fastapi import FastAPI, WebSocket

app = FastAPI()


number = 10


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    global number
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        number += 1
        if message.get("text") is not None:
            await websocket.send_text(f"{number}: {message['text']}")
        else:
            await websocket.send_bytes(message["bytes"])
