"""Step 1: a first attempt at a chat, as one writes it: one bad client ends the room."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI(title="A chat, first attempt")
active_connections: list[WebSocket] = []


async def broadcast(sender: str, message: str) -> None:
    for connection in active_connections:
        await connection.send_json({"sender": sender, "message": message})


@app.websocket("/chatroom/{username}")
async def chatroom(websocket: WebSocket, username: str) -> None:
    await websocket.accept()
    active_connections.append(websocket)
    await broadcast("system", f"{username} joined the chat")
    try:
        while True:
            await broadcast(username, await websocket.receive_text())
    except WebSocketDisconnect:
        active_connections.remove(websocket)
        await broadcast("system", f"{username} left the chat")
