# fails: test_greets_by_name
# The name is cut out of the raw path, still percent-encoded.
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    name = websocket.scope["raw_path"].decode().rsplit("/", 1)[1]
    await websocket.send_text(f"Welcome, {name}!")
    await websocket.close(code=1000, reason="Bye!")
