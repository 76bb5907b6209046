"""The chat: its page and its socket."""

import asyncio
import logging
from pathlib import Path
from uuid import uuid4

from fastapi import (
    APIRouter,
    HTTPException,
    Request,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from recipes.r08_scale_out.broker import Broker, NotDelivered
from recipes.r08_scale_out.follow import Follower
from recipes.r08_scale_out.frames import Draft, not_delivered, read, you
from recipes.r08_scale_out.rules import (
    Client,
    Since,
    Username,
    printable,
    receive_text,
)

# Texts of one client that are taken in while the first of them is not confirmed yet.
MOST_UNCONFIRMED = 100
# A text and when it came, or the end.
Said = asyncio.Queue[tuple[str, float] | Exception]

logger = logging.getLogger("uvicorn")
router = APIRouter()
templates = Jinja2Templates(Path(__file__).parent / "templates")


@router.get("/chatroom/{username}", response_class=HTMLResponse)
async def page(request: Request, username: Username) -> HTMLResponse:
    return templates.TemplateResponse(request, "chatroom.html", {"username": username})


@router.websocket("/chatroom/{username}")
async def chatroom(
    websocket: WebSocket,
    username: Username,
    since: Since | None = None,
    client: Client | None = None,
) -> None:
    await talk(websocket, username, since, client)


async def talk(
    websocket: WebSocket, username: str, since: str | None, client: str | None
) -> None:
    """The whole conversation with a client, from the handshake to its end."""
    broker: Broker = websocket.app.state.broker
    client = client or uuid4().hex
    join = Draft("system", f"{username} joined the chat", client)
    leave = Draft("system", f"{username} left the chat", client)
    try:
        joined = await broker.enter(join, leave)
    except NotDelivered:
        raise HTTPException(503, headers={"Retry-After": "1"}) from None
    logger.info("%s", join.message)
    refusal: Exception | None = None
    said: Said = asyncio.Queue(MOST_UNCONFIRMED)
    follower = Follower(websocket, broker, client, joined, since)
    try:
        await websocket.accept()
        async with asyncio.TaskGroup() as group:
            group.create_task(follower.run())
            group.create_task(listen(websocket, said))
            await converse(follower, username, said)
    except* WebSocketDisconnect:
        pass
    except* TimeoutError:
        refusal = WebSocketException(1013, "Too slow")
    except* WebSocketException as broken:
        refusal = broken.exceptions[0]
    finally:
        broker.owe(leave)
        logger.info("%s", leave.message)
    if isinstance(refusal, WebSocketException):
        await follower.close(refusal.code, refusal.reason)


async def listen(websocket: WebSocket, said: Said) -> None:
    """Take what comes, also while what was said before is not confirmed yet."""
    try:
        while True:
            text = await receive_text(websocket)
            await said.put((text, asyncio.get_running_loop().time()))
    except (WebSocketDisconnect, WebSocketException) as end:
        await said.put(end)  # behind all texts


async def converse(follower: Follower, username: str, said: Said) -> None:
    confirmed = 0.0  # when the last was: until then the next had to wait its turn
    while not isinstance(item := await said.get(), Exception):
        text, came = item
        draft = read(text, username, follower.client)
        try:
            added = await follower.broker.add(draft, max(came, confirmed))
        except NotDelivered:
            logger.warning("Not delivered: %s says: %s", username, printable(text))
            await follower.send(not_delivered(draft))
            continue
        confirmed = asyncio.get_running_loop().time()
        if not added.again:
            logger.info("%s says: %s", username, printable(draft.message))
        elif not follower.gets(added.id):
            await follower.send(you(draft))
    raise item
