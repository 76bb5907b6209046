"""Recipe 5's chat, for users who were let in until their token expires."""

import asyncio
import logging
import time
from collections import defaultdict
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import ws_manager
from recipes.r07_oauth2.rules import printable, receive_text
from recipes.r07_oauth2.tokens import Session
from recipes.r07_oauth2.ws_manager import ConnectionManager, Message

logger = logging.getLogger("uvicorn")
manager = ConnectionManager()

COOKIE = "chatroomtoken"
# Of each cookie, the time limits of the sockets that came in with it.
_ends: defaultdict[str, set[asyncio.Timeout]] = defaultdict(set)


def end_sockets(connection: HTTPConnection) -> None:
    """End the sockets that came in with the cookie of this request."""
    for end in _ends.pop(connection.cookies.get(COOKIE, ""), ()):
        with suppress(RuntimeError):  # its handler has ended it already
            end.reschedule(asyncio.get_running_loop().time())


async def chat(websocket: WebSocket, session: Session) -> None:
    """Accept a user into the room, until one side leaves or the token ends."""
    username, cookie = session.username, websocket.cookies.get(COOKIE, "")
    let_go = await manager.connect(websocket, username)
    end = asyncio.timeout(session.expires - time.time())
    _ends[cookie].add(end)
    refusal = None
    try:
        async with end, let_go:
            await announce(f"{username} joined the chat", websocket)
            await converse(websocket, username)
    except WebSocketDisconnect:
        pass
    except TimeoutError:
        if not end.expired():
            refusal = WebSocketException(1013, "Too slow")
        elif end in _ends[cookie]:
            refusal = WebSocketException(1008, "Token expired")
        else:
            refusal = WebSocketException(1008, "Logged out")
    except WebSocketException as broken_rule:
        refusal = broken_rule
    finally:
        _ends[cookie].discard(end)
        if not _ends[cookie]:
            del _ends[cookie]
        manager.disconnect(websocket)
        await announce(f"{username} left the chat")
    if refusal:
        await close(websocket, refusal.code, refusal.reason)


async def announce(event: str, exclude: WebSocket | None = None) -> None:
    logger.info("%s", event)
    await manager.broadcast({"sender": "system", "message": event}, exclude)


async def converse(websocket: WebSocket, username: str) -> None:
    while True:
        text = await receive_text(websocket)
        logger.info("%s says: %s", username, printable(text))
        await manager.broadcast({"sender": username, "message": text}, websocket)
        # Last: it tells the page that everybody has been sent it.
        mine: Message = {"sender": "You", "message": text}
        await manager.send_personal_message(mine, websocket)


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    # The client may be gone, or still not reading: then it cannot be told.
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(ws_manager.SEND_TIMEOUT):
            await websocket.close(code, reason)
