"""Greet each client by name, and say goodbye with a reason.

A path parameter of a WebSocket route works as it does in an HTTP route: FastAPI takes
it out of the path, decodes it, and passes it by name. `close()` has 1000 as its
default; it stands here since it is what the client is told.

Another way: declare `name: Annotated[str, Path(max_length=32)]`, and longer names are
refused before the handshake, with HTTP 403.
"""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Exercise: greet by name")


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"Welcome, {name}!")
    await websocket.close(code=1000, reason="Bye!")
