"""Dicts of sockets and no manager; JSON is read and checked by hand."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.exceptions import WebSocketException

from recipes.r05_chat import ws_manager
from recipes.r05_chat.rules import Username, receive_text

app = FastAPI()
rooms: dict[str, dict[str, WebSocket]] = {}
handlers: dict[WebSocket, asyncio.Task[None]] = {}


@app.get("/rooms/{room}")
def users(room: str) -> dict[str, list[str]]:
    if not rooms.get(room):
        raise HTTPException(404)
    return {"users": sorted(rooms[room])}


async def deliver(text: str, websocket: WebSocket) -> None:
    try:
        await asyncio.wait_for(websocket.send_text(text), ws_manager.SEND_TIMEOUT)
    except TimeoutError:
        if handler := handlers.pop(websocket, None):
            handler.cancel()
    except (WebSocketDisconnect, RuntimeError):
        pass


async def tell(people: list[WebSocket], sender: str, message: str) -> None:
    text = json.dumps({"sender": sender, "message": message})
    await asyncio.gather(*(deliver(text, each) for each in people))


def whispered(text: str) -> tuple[str, str] | None:
    try:
        value: Any = json.loads(text)
        match value:
            case {"to": str(to), "message": str(message)} if len(value) == 2:
                (to + message).encode()
                return to, message
    except (ValueError, RecursionError):
        pass
    return None


@app.websocket("/rooms/{room}/{username}")
async def chatroom(websocket: WebSocket, room: str, username: Username) -> None:
    if username in rooms.get(room, {}):
        raise HTTPException(409)
    here = rooms.setdefault(room, {})
    here[username] = websocket

    def others() -> list[WebSocket]:
        return [each for each in here.values() if each is not websocket]

    async def converse() -> None:
        await websocket.accept()
        await tell(others(), "system", f"{username} joined the chat")
        while True:
            text = await receive_text(websocket)
            direct = whispered(text)
            if direct is None:
                await tell(others(), username, text)
                await tell([websocket], "You", text)
            elif direct[0] in here:
                whisper = {"sender": username, "message": direct[1], "direct": True}
                await deliver(json.dumps(whisper), here[direct[0]])
            else:
                await tell([websocket], "system", f"{direct[0]} is not here")

    handlers[websocket] = task = asyncio.create_task(converse())
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
        handlers.pop(websocket, None)
        del here[username]
        if not here and rooms.get(room) is here:
            del rooms[room]
        await tell(others(), "system", f"{username} left the chat")
    error = None if task.cancelled() else task.exception()
    if isinstance(error, WebSocketException):
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(1):
                await websocket.close(error.code, error.reason)
