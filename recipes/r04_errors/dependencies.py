"""Parameters and dependencies of a socket: as in HTTP routes, before `accept()`."""

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import (
    Cookie,
    Depends,
    FastAPI,
    Header,
    Query,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Parameters and dependencies")


async def session() -> AsyncIterator[str]:
    logger.info("Session opened")
    try:
        yield "session"
    finally:
        # At the end of the connection, which may be hours away.
        logger.info("Session given back")


def host(connection: HTTPConnection) -> str:
    # Not `Request`: there is none. This takes requests and sockets alike.
    return connection.headers.get("host", "")


@app.websocket("/rooms/{room}")
async def enter(
    websocket: WebSocket,
    room: str,
    host: Annotated[str, Depends(host)],
    session: Annotated[str, Depends(session)],
    since: Annotated[int, Query(ge=0)] = 0,
    user_agent: Annotated[str, Header()] = "nobody",
    theme: Annotated[str, Cookie()] = "light",
) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        await websocket.send_json([room, since, user_agent.split("/")[0], theme])
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass


@app.websocket("/private")
async def private(
    websocket: WebSocket,
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        await websocket.send_text(f"Your token is {credentials.credentials}")
        await websocket.close()
