"""Exercise: a worker that finishes its jobs before it goes.

Run it:    uvicorn recipes.r09_production.exercise:app
Check it:  pytest --mine tests/test_r09_production.py
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from recipes.r09_production.drain import close
from recipes.r09_production.main import reply

# Seconds that a job takes, that jobs have once the drain has begun, and over which
# clients are to come back.
WORK_SECONDS = float(os.environ.get("WORK_SECONDS") or 1)
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS") or 10)
RECONNECT_SECONDS = float(os.environ.get("RECONNECT_SECONDS") or 5)
# Open sockets of one address.
MAX_PER_ADDRESS = float(os.environ.get("MAX_PER_ADDRESS") or 10)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # TODO 6 (stretch): SIGTERM does what POST /drain does; when that is over, uvicorn
    # stops.
    yield


app = FastAPI(title="Exercise: a worker that drains", lifespan=lifespan)

# TODO 1 (core): GET /healthz answers {"status": "ok", "connections": n}; while draining
# with HTTP 503, and "draining" for "ok".

# TODO 2 (core): POST /drain answers HTTP 202 {"status": "draining"} at once, also a
# second time. From then on everybody is told at once {"type": "restart",
# "retry_after": s}, with an s of its own, drawn from 0 to RECONNECT_SECONDS.


@app.websocket("/ws")
async def work(websocket: WebSocket) -> None:
    # TODO 3 (core): while draining, HTTP 503 with Retry-After.
    # TODO 5 (more): when MAX_PER_ADDRESS sockets of this address are open, HTTP 429.
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        await answer(websocket)


async def answer(websocket: WebSocket) -> None:
    """Work on one text after the other, until the client leaves or breaks a rule."""
    # TODO 4 (core): when the drain begins, who waits for no job is closed with 1012
    # `Restarting`, who does, when it is done. No further text is worked on.
    # (more): whoever is left after DRAIN_SECONDS is closed with 1012, too. Who does not
    # read delays nobody.
    while (message := await websocket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            await close(websocket, 1003, "Text only")
            return
        await asyncio.sleep(WORK_SECONDS)  # the job
        await reply(websocket, {"type": "done", "text": text})
