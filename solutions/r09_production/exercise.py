"""Each handler ends its own connection, when one of its deadlines has come.

A socket has two of them. `stays` ends all it does, DRAIN_SECONDS after the drain began.
`waits` is there while it waits for a text, which is while it has no job: that one ends
at once. So nobody closes a connection that another task is sending on, and a job is
interrupted in one place only. Who is told is told by a task of its own, since a send to
a client that does not read never returns.

Another way: each handler waits for its next text and for an `asyncio.Event` that says
that the drain has begun, whichever comes first. Then two tasks are made for each text.
A third: the recipe's `Drain`, with who has no job in a set beside it.
"""

import asyncio
import math
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, HTTPException, Response, WebSocket, WebSocketDisconnect
from starlette.types import Message

from recipes.r09_production.drain import before_sigterm, close, tell
from recipes.r09_production.main import reply

WORK_SECONDS = float(os.environ.get("WORK_SECONDS") or 1)
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS") or 10)
RECONNECT_SECONDS = float(os.environ.get("RECONNECT_SECONDS") or 5)
MAX_PER_ADDRESS = float(os.environ.get("MAX_PER_ADDRESS") or 10)
# Seconds that the last close frames have to get out.
LAST_FRAMES = 1.0

draining = asyncio.Event()
one_left = asyncio.Event()
stays: dict[WebSocket, asyncio.Timeout] = {}
waits: dict[WebSocket, asyncio.Timeout] = {}
telling: set[asyncio.Task[None]] = set()
addresses: Counter[str] = Counter()


def begin() -> None:
    """Send everybody away. Once more it does nothing."""
    if draining.is_set():
        return
    draining.set()
    app.state.end = asyncio.get_running_loop().time() + DRAIN_SECONDS
    for websocket, stay in stays.items():
        stay.reschedule(app.state.end)
        task = asyncio.create_task(send_away(websocket))
        telling.add(task)
        task.add_done_callback(telling.discard)


async def send_away(websocket: WebSocket) -> None:
    await tell(websocket, random.uniform(0, RECONNECT_SECONDS))
    if websocket in waits:  # for no job
        waits[websocket].reschedule(asyncio.get_running_loop().time())


async def drain() -> None:
    begin()
    with suppress(TimeoutError):
        async with asyncio.timeout_at(app.state.end + LAST_FRAMES):
            while stays:
                one_left.clear()
                await one_left.wait()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with before_sigterm(drain):
        yield


app = FastAPI(title="A worker that drains", lifespan=lifespan)


@app.get("/healthz")
async def health(response: Response) -> dict[str, str | int]:
    if draining.is_set():
        response.status_code = 503
    status = "draining" if draining.is_set() else "ok"
    return {"status": status, "connections": len(stays)}


@app.post("/drain", status_code=202)
async def start_drain() -> dict[str, str]:
    begin()
    return {"status": "draining"}


@app.websocket("/ws")
async def work(websocket: WebSocket) -> None:
    if draining.is_set():
        seconds = max(1, math.ceil(RECONNECT_SECONDS))
        raise HTTPException(503, headers={"Retry-After": f"{seconds}"})
    address = websocket.client.host if websocket.client else ""
    if addresses[address] >= MAX_PER_ADDRESS:
        raise HTTPException(429)
    addresses[address] += 1
    try:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            await stay(websocket)
    finally:
        addresses[address] -= 1
        if not addresses[address]:
            del addresses[address]


async def stay(websocket: WebSocket) -> None:
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as stays[websocket]:
                if draining.is_set():  # that began while it was being accepted
                    await tell(websocket, random.uniform(0, RECONNECT_SECONDS))
                await answer(websocket)
        if draining.is_set():
            await close(websocket, 1012, "Restarting")
    finally:
        del stays[websocket]
        one_left.set()


async def received(websocket: WebSocket) -> Message:
    """What comes next. Raises TimeoutError when the drain begins before that."""
    try:
        async with asyncio.timeout(None) as waits[websocket]:
            return await websocket.receive()
    finally:
        del waits[websocket]


async def answer(websocket: WebSocket) -> None:
    """Work on one text after the other, until the client leaves or is to leave."""
    while not draining.is_set():
        message = await received(websocket)
        if message["type"] == "websocket.disconnect" or draining.is_set():
            return
        text = message.get("text")
        if text is None:
            await close(websocket, 1003, "Text only")
            return
        await asyncio.sleep(WORK_SECONDS)  # the job
        await reply(websocket, {"type": "done", "text": text})
