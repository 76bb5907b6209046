"""Agreeing on a subprotocol: the client offers names, the server picks one."""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Subprotocols")

KNOWN = ["chat.v2", "chat.v1"]  # the one we like best first


@app.websocket("/ws")
async def welcome(websocket: WebSocket) -> None:
    offered = websocket.scope["subprotocols"]
    chosen = next((name for name in KNOWN if name in offered), None)
    await websocket.accept(subprotocol=chosen)
    await websocket.send_text(f"We speak {chosen or 'no subprotocol'}")
    await websocket.close()
