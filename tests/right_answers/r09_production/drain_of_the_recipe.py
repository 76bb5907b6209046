"""The recipe's Drain, and beside it a set of those who have no job."""

import asyncio
import os
from collections import Counter
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, HTTPException, Response, WebSocket, WebSocketDisconnect

from recipes.r09_production.drain import Drain, before_sigterm, close

WORK_SECONDS = float(os.environ.get("WORK_SECONDS") or 1)
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS") or 10)
RECONNECT_SECONDS = float(os.environ.get("RECONNECT_SECONDS") or 5)
MAX_PER_ADDRESS = int(os.environ.get("MAX_PER_ADDRESS") or 10)

drain = Drain()
idle = set()
running = []
here = Counter()


def begin():
    if not running:
        running.append(asyncio.create_task(drain.run(DRAIN_SECONDS, RECONNECT_SECONDS)))
        running.append(asyncio.create_task(close_the_idle()))


async def close_the_idle():
    await asyncio.sleep(0.05)  # they are told first
    for websocket in list(idle):
        drain.guests[websocket].reschedule(asyncio.get_running_loop().time())


async def drain_all():
    begin()
    await running[0]


@asynccontextmanager
async def lifespan(app):
    with before_sigterm(drain_all):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz(response: Response):
    if running:
        response.status_code = 503
        return {"status": "draining", "connections": len(drain.guests)}
    return {"status": "ok", "connections": len(drain.guests)}


@app.post("/drain", status_code=202)
async def post_drain():
    begin()
    return {"status": "draining"}


@app.websocket("/ws")
async def work(websocket: WebSocket):
    if running:
        raise HTTPException(503, headers={"Retry-After": "3"})
    who = websocket.client.host
    if here[who] == MAX_PER_ADDRESS:
        raise HTTPException(429)
    here[who] += 1
    try:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            async with drain.guest(websocket):
                await answer(websocket)
    finally:
        here[who] -= 1


async def answer(websocket):
    while True:
        if running:
            return await close(websocket, 1012, "Restarting")
        idle.add(websocket)
        try:
            message = await websocket.receive()
        finally:
            idle.discard(websocket)
        if message["type"] == "websocket.disconnect":
            return None
        if running:
            continue
        if message.get("text") is None:
            return await close(websocket, 1003, "Text only")
        await asyncio.sleep(WORK_SECONDS)
        with suppress(RuntimeError):
            await websocket.send_json({"type": "done", "text": message["text"]})
