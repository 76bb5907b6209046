"""Exercise: a chat of many rooms, where everybody has a name of their own.

Run it:    uvicorn recipes.r05_chat.exercise:app
Check it:  pytest --mine tests/test_r05_chat.py
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException

from recipes.r05_chat.chat import close
from recipes.r05_chat.rules import Username, receive_text
from recipes.r05_chat.ws_manager import ConnectionManager

app = FastAPI(title="Exercise: rooms")

# TODO 1 (core): each room has a manager of its own, and names. A room that is empty
# is forgotten.
manager = ConnectionManager()


@app.get("/rooms/{room}")
async def users(room: str) -> dict[str, list[str]]:
    # TODO 2 (core): {"users": [the names in the room, sorted]}, and HTTP 404 where
    # nobody is.
    return {"users": []}


@app.websocket("/rooms/{room}/{username}")
async def chatroom(websocket: WebSocket, room: str, username: Username) -> None:
    # TODO 5 (more): a name that is in the room already is refused with HTTP 409.
    let_go = await manager.connect(websocket, username)
    refusal = None
    try:
        async with let_go:  # given: who does not read is let go
            # TODO 3 (core): tell the room's others that {username} joined the chat,
            # and, however this ends, that {username} left the chat.
            await converse(websocket, room, username)
    except WebSocketDisconnect:
        pass
    except TimeoutError:
        refusal = WebSocketException(1013, "Too slow")
    except WebSocketException as broken_rule:
        refusal = broken_rule
    if refusal:
        await close(websocket, refusal.code, refusal.reason)


async def converse(websocket: WebSocket, room: str, username: str) -> None:
    while True:
        text = await receive_text(websocket)  # given: no bytes, no long texts
        # TODO 4 (core): the room's others get it from {username}, the sender from You.
        # TODO 6 (stretch): {"to": "ada", "message": "psst"} goes to ada alone, with
        # "direct": true. If she is not there, the sender hears it from the system.
        await manager.send_personal_message(
            {"sender": "TODO", "message": text}, websocket
        )
