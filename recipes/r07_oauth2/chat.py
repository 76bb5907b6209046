"""Recipe 5's chat, for users who were let in until their token expires."""

import asyncio
import logging
import time
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException

from recipes.r07_oauth2 import ws_manager
from recipes.r07_oauth2.rules import printable, receive_text
from recipes.r07_oauth2.tokens import Session
from recipes.r07_oauth2.ws_manager import ConnectionManager, Message

logger = logging.getLogger("uvicorn")
manager = ConnectionManager()


async def chat(websocket: WebSocket, session: Session) -> None:
    """Accept a user into the room, until one side leaves or the token expires."""
    username = session.username
    let_go = await manager.connect(websocket, username)
    token = asyncio.timeout(session.expires - time.time())
    refusal = None
    try:
        async with token, let_go:
            await announce(f"{username} joined the chat", websocket)
            await converse(websocket, username)
    except WebSocketDisconnect:
        pass
    except TimeoutError:
        if token.expired():
            refusal = WebSocketException(1008, "Token expired")
        else:
            refusal = WebSocketException(1013, "Too slow")
    except WebSocketException as broken_rule:
        refusal = broken_rule
    finally:
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
