"""The chat: its page and its socket."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from fastapi import (
    APIRouter,
    Request,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from recipes.r05_chat import ws_manager
from recipes.r05_chat.rules import Username, printable, receive_text
from recipes.r05_chat.ws_manager import ConnectionManager, Message

logger = logging.getLogger("uvicorn")
router = APIRouter()
manager = ConnectionManager()
templates = Jinja2Templates(Path(__file__).parent / "templates")


@router.get("/chatroom/{username}", response_class=HTMLResponse)
async def page(request: Request, username: Username) -> HTMLResponse:
    return templates.TemplateResponse(request, "chatroom.html", {"username": username})


@router.websocket("/chatroom/{username}")
async def chatroom(websocket: WebSocket, username: Username) -> None:
    let_go = await manager.connect(websocket, username)
    refusal = None
    try:
        async with let_go:
            await announce(f"{username} joined the chat", websocket)
            await converse(websocket, username)
    except WebSocketDisconnect:
        pass
    except TimeoutError:
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
