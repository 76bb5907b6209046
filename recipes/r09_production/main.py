"""An echo that knows its clients' addresses, its health, and its end."""

import asyncio
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, HTTPException, Response, WebSocket, WebSocketDisconnect
from starlette.datastructures import URL

from recipes.r09_production.drain import Drain, before_sigterm, close

# Seconds that clients may stay after SIGTERM, and over which they are to come back.
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS") or 5)
RECONNECT_SECONDS = float(os.environ.get("RECONNECT_SECONDS") or 5)
LONGEST_TEXT = 64 * 1024  # bytes of UTF-8

drain = Drain()


async def send_all_away() -> None:
    await drain.run(DRAIN_SECONDS, RECONNECT_SECONDS)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with before_sigterm(send_all_away):
        yield


app = FastAPI(title="In production", lifespan=lifespan)


@app.get("/healthz")
async def health(response: Response) -> dict[str, str | int]:
    if drain.draining:
        response.status_code = 503
    status = "draining" if drain.draining else "ok"
    return {"status": status, "connections": len(drain.guests)}


def is_own(origin: str, url: URL) -> bool:
    """Whether a page of this origin came from the server that the socket asks.

    Both leave the port out where it is the scheme's own (RFC 6454 §6.2).
    """
    scheme, port = ("https", ":443") if url.scheme == "wss" else ("http", ":80")
    own = f"{scheme}://{url.netloc}".lower()
    return origin.lower().removesuffix(port) == own.removesuffix(port)


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    if drain.draining:
        seconds = max(1, math.ceil(RECONNECT_SECONDS))
        raise HTTPException(503, headers={"Retry-After": f"{seconds}"})
    origins = websocket.headers.getlist("origin")
    if not all(is_own(origin, websocket.url) for origin in origins):
        raise HTTPException(403, "This origin is not ours")
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        async with drain.guest(websocket):
            client = websocket.client.host if websocket.client else ""
            hello = {"type": "hello", "client": client, "url": str(websocket.url)}
            await reply(websocket, hello)
            await answer(websocket)


async def answer(websocket: WebSocket) -> None:
    """Answer each text, until the client leaves or breaks a rule."""
    while (message := await websocket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            await close(websocket, 1003, "Text only")
            return
        if len(text.encode()) > LONGEST_TEXT:
            await close(websocket, 1009, "Too long a text")
            return
        await reply(websocket, {"type": "echo", "text": text})
        await asyncio.sleep(0)  # the others' turn, also if the next is here


async def reply(websocket: WebSocket, frame: dict[str, str]) -> None:
    with suppress(RuntimeError):  # uvicorn has closed; the next receive says why
        await websocket.send_json(frame)
