"""Each handler waits for a text or for the beginning of the drain, what comes first."""

import asyncio
import os
import random
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from recipes.r09_production.drain import before_sigterm

WORK_SECONDS = float(os.environ.get("WORK_SECONDS") or 1)
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS") or 10)
RECONNECT_SECONDS = float(os.environ.get("RECONNECT_SECONDS") or 5)
MAX_PER_ADDRESS = float(os.environ.get("MAX_PER_ADDRESS") or 10)


class State:
    def __init__(self):
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        self.handlers, self.tasks = {}, set()


state = State()


def keep(coroutine):
    task = asyncio.create_task(coroutine)
    state.tasks.add(task)
    task.add_done_callback(state.tasks.discard)


async def finish():
    state.begun.set()
    if state.handlers:
        _, late = await asyncio.wait(state.handlers, timeout=DRAIN_SECONDS)
        for handler in late:
            handler.cancel()
        if late:
            await asyncio.wait(late, timeout=1)
    state.over.set()


async def drain():
    if not state.begun.is_set():
        keep(finish())
    await state.over.wait()


@asynccontextmanager
async def lifespan(app):
    with before_sigterm(drain):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
def healthz(response: Response):
    begun = state.begun.is_set()
    response.status_code = 503 if begun else 200
    word = "draining" if begun else "ok"
    return {"status": word, "connections": len(state.handlers)}


@app.post("/drain")
async def post_drain():
    if not state.begun.is_set():
        keep(finish())
        await asyncio.sleep(0)
    return JSONResponse({"status": "draining"}, status_code=202)


@app.websocket("/ws")
async def work(websocket: WebSocket):
    address = websocket.client.host
    if state.begun.is_set():
        response = Response(status_code=503, headers={"Retry-After": "1"})
        return await websocket.send_denial_response(response)
    if list(state.handlers.values()).count(address) >= MAX_PER_ADDRESS:
        return await websocket.send_denial_response(Response(status_code=429))
    task = asyncio.current_task()
    state.handlers[task] = address
    await websocket.accept()
    teller = asyncio.create_task(tell(websocket))
    try:
        with suppress(WebSocketDisconnect):
            await converse(websocket)
    except asyncio.CancelledError:
        with suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close(1012, "Restarting")
    finally:
        teller.cancel()
        del state.handlers[task]


async def tell(websocket):
    await state.begun.wait()
    seconds = random.random() * RECONNECT_SECONDS
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_json({"type": "restart", "retry_after": seconds})


async def converse(websocket):
    begun = asyncio.create_task(state.begun.wait())
    try:
        while not state.begun.is_set():
            text = asyncio.create_task(websocket.receive())
            await asyncio.wait({begun, text}, return_when=asyncio.FIRST_COMPLETED)
            if not text.done() or state.begun.is_set():
                text.cancel()
                break
            message = text.result()
            if message["type"] == "websocket.disconnect":
                return None
            if message.get("text") is None:
                return await websocket.close(1003, "Text only")
            await asyncio.sleep(WORK_SECONDS)
            await websocket.send_json({"type": "done", "text": message["text"]})
        await asyncio.sleep(0)
        with suppress(RuntimeError):
            await websocket.close(1012, "Restarting")
    finally:
        begun.cancel()
