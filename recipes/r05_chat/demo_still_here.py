"""A broken main: "Some who are gone are still in the room", say those who use it.

The exercise `test_exercise.py` is to catch the bug.
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException

from recipes.r05_chat.chat import announce, close, converse, manager
from recipes.r05_chat.rules import Username

app = FastAPI(title="A chat, with a bug")


@app.websocket("/chatroom/{username}")
async def chatroom(websocket: WebSocket, username: Username) -> None:
    refusal = WebSocketException(1013, "Too slow")
    try:
        async with await manager.connect(websocket, username):
            await announce(f"{username} joined the chat", websocket)
            await converse(websocket, username)
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await announce(f"{username} left the chat")
        return
    except TimeoutError:
        pass
    except WebSocketException as broken_rule:
        refusal = broken_rule
    manager.disconnect(websocket)
    await close(websocket, refusal.code, refusal.reason)
