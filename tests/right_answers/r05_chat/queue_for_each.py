"""Each member has a queue and a task that sends from it: nobody waits for anybody."""

import asyncio
import json
from contextlib import suppress

from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.exceptions import WebSocketException
from pydantic import BaseModel, ConfigDict, ValidationError

from recipes.r05_chat import ws_manager
from recipes.r05_chat.rules import Username, receive_text

app = FastAPI()


class Direct(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str
    message: str


class Member:
    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.waiting: asyncio.Queue[str] = asyncio.Queue()

    def tell(self, sender: str, message: str, **more: bool) -> None:
        self.waiting.put_nowait(
            json.dumps({"sender": sender, "message": message} | more)
        )

    async def write(self) -> None:
        while True:
            text = await self.waiting.get()
            async with asyncio.timeout(ws_manager.SEND_TIMEOUT):
                await self.websocket.send_text(text)


class Room(dict[str, Member]):
    def tell(self, sender: str, message: str, but: str = "") -> None:
        for name, member in self.items():
            if name != but:
                member.tell(sender, message)


rooms: dict[str, Room] = {}


@app.get("/rooms/{name}")
async def users(name: str) -> dict[str, list[str]]:
    if (room := rooms.get(name)) is None:
        raise HTTPException(404)
    return {"users": sorted(room)}


@app.websocket("/rooms/{name}/{username}")
async def chatroom(websocket: WebSocket, name: str, username: Username) -> None:
    room = rooms.setdefault(name, Room())
    if username in room:
        raise HTTPException(409)
    me = room[username] = Member(websocket)
    refusal = WebSocketException(1013)
    try:
        await websocket.accept()
        room.tell("system", f"{username} joined the chat", but=username)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(me.write())
            tasks.create_task(read(me, room, username))
    except* (TimeoutError, WebSocketDisconnect, RuntimeError):
        pass
    except* WebSocketException as errors:
        [refusal] = [e for e in errors.exceptions if isinstance(e, WebSocketException)]
    finally:
        del room[username]
        if not room:
            del rooms[name]
        room.tell("system", f"{username} left the chat")
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(ws_manager.SEND_TIMEOUT):
            await websocket.close(refusal.code, refusal.reason)


async def read(me: Member, room: Room, username: str) -> None:
    while True:
        text = await receive_text(me.websocket)
        try:
            direct = Direct.model_validate_json(text)
        except ValidationError:
            room.tell(username, text, but=username)
            me.tell("You", text)
            continue
        if other := room.get(direct.to):
            other.tell(username, direct.message, direct=True)
        else:
            me.tell("system", f"{direct.to} is not here")
