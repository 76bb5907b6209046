"""A chat of many rooms, where everybody has a name of their own.

A room is a manager and the names in it. A name is taken before `accept()`, in the same
step as the check: nobody else can come between. So the refusal is still an HTTP answer,
and two who ask at once do not both get in. What must happen at every end stands in
`finally`: the name and an empty room are given back first, then the others are told,
so that who hears of it can already use the name.

Direct messages are read by a model, from the text itself. What does not fit, JSON or
not, is an ordinary text.

Another way: a dict of dicts of sockets without a class; or `json.loads()` and checks by
hand, with RecursionError, ValueError and lone surrogates to think of.
"""

from fastapi import (
    FastAPI,
    HTTPException,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from recipes.r05_chat.chat import close
from recipes.r05_chat.rules import Username, receive_text
from recipes.r05_chat.ws_manager import ConnectionManager

app = FastAPI(title="Exercise: rooms")


class Room:
    def __init__(self) -> None:
        self.manager = ConnectionManager()
        self.members: dict[str, WebSocket] = {}

    async def announce(self, event: str, exclude: WebSocket | None = None) -> None:
        await self.manager.broadcast({"sender": "system", "message": event}, exclude)


class Direct(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str
    message: str


rooms: dict[str, Room] = {}


@app.get("/rooms/{room}")
async def users(room: str) -> dict[str, list[str]]:
    if room not in rooms:
        raise HTTPException(404, "Nobody is here")
    return {"users": sorted(rooms[room].members)}


@app.websocket("/rooms/{room}/{username}")
async def chatroom(websocket: WebSocket, room: str, username: Username) -> None:
    here = rooms.setdefault(room, Room())
    if username in here.members:
        raise HTTPException(409, "This name is taken")
    here.members[username] = websocket
    refusal = None
    try:
        async with await here.manager.connect(websocket, username):
            await here.announce(f"{username} joined the chat", websocket)
            await converse(websocket, here, username)
    except WebSocketDisconnect:
        pass
    except TimeoutError:
        refusal = WebSocketException(1013, "Too slow")
    except WebSocketException as broken_rule:
        refusal = broken_rule
    finally:
        here.manager.disconnect(websocket)
        del here.members[username]
        if not here.members:
            del rooms[room]
        await here.announce(f"{username} left the chat")
    if refusal:
        await close(websocket, refusal.code, refusal.reason)


async def converse(websocket: WebSocket, here: Room, username: str) -> None:
    send = here.manager.send_personal_message
    while True:
        text = await receive_text(websocket)
        try:
            direct = Direct.model_validate_json(text)
        except ValidationError:
            message = {"sender": username, "message": text}
            await here.manager.broadcast(message, exclude=websocket)
            await send({"sender": "You", "message": text}, websocket)
            continue
        if direct.to in here.members:
            await send(
                {"sender": username, "message": direct.message, "direct": True},
                here.members[direct.to],
            )
        else:
            absent = f"{direct.to} is not here"
            await send({"sender": "system", "message": absent}, websocket)
