"""A dependency with `yield` gives the seat, and takes it back at every end."""

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ValidationError

from recipes.r05_chat.rules import Username, receive_text
from recipes.r05_chat.ws_manager import ConnectionManager

app = FastAPI()
managers: defaultdict[str, ConnectionManager] = defaultdict(ConnectionManager)
seats: dict[tuple[str, str], WebSocket] = {}


def names(room: str) -> list[str]:
    return sorted(name for where, name in seats if where == room)


@app.get("/rooms/{room}")
async def users(room: str) -> dict[str, list[str]]:
    if not (here := names(room)):
        raise HTTPException(404)
    return {"users": here}


async def seat(
    websocket: WebSocket, room: str, username: Username
) -> AsyncIterator[ConnectionManager]:
    if (room, username) in seats:
        raise HTTPException(409)
    seats[room, username] = websocket
    manager = managers[room]
    try:
        yield manager
    finally:
        manager.disconnect(websocket)
        del seats[room, username]
        if not names(room):
            managers.pop(room, None)
        left = {"sender": "system", "message": f"{username} left the chat"}
        await manager.broadcast(left)


class Whisper(BaseModel, extra="forbid"):
    to: str
    message: str


@app.websocket("/rooms/{room}/{username}")
async def chatroom(
    websocket: WebSocket,
    room: str,
    username: Username,
    manager: Annotated[ConnectionManager, Depends(seat)],
) -> None:
    try:
        async with await manager.connect(websocket, username):
            joined = {"sender": "system", "message": f"{username} joined the chat"}
            await manager.broadcast(joined, websocket)
            while True:
                text = await receive_text(websocket)
                await passed_on(text, websocket, room, username, manager)
    except (WebSocketDisconnect, TimeoutError):
        pass


async def passed_on(
    text: str,
    websocket: WebSocket,
    room: str,
    username: str,
    manager: ConnectionManager,
) -> None:
    send = manager.send_personal_message
    try:
        whisper = Whisper.model_validate_json(text)
    except ValidationError:
        said = {"sender": username, "message": text}
        await send(said | {"sender": "You"}, websocket)
        await manager.broadcast(said, websocket)
        return
    if other := seats.get((room, whisper.to)):
        told = {"sender": username, "message": whisper.message, "direct": True}
        await send(told, other)
    else:
        await send(
            {"sender": "system", "message": f"{whisper.to} is not here"}, websocket
        )
