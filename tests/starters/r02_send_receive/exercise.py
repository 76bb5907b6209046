"""Exercise: number the messages of a connection, text and binary alike.

Run it:    uvicorn recipes.r02_send_receive.exercise:app
Check it:  pytest --mine tests/test_r02_send_receive.py
"""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Exercise: count the messages")


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        # TODO 1: a text `hi` that is the third message is answered with `3: hi`.
        # TODO 2: a binary message is answered with the same bytes.
        # TODO 3: binary messages count too, on the same connection.
        text = await websocket.receive_text()
        await websocket.send_text(f"TODO: {text}")
