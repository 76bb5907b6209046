"""An object for each client; the drain closes those without a job, not their handlers.

SIGTERM is hooked by hand, and the end is uvicorn's own handler, called once more.
"""

import asyncio
import os
import random
import signal
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse


def setting(name, unset):
    return float(os.environ.get(name) or unset)


WORK_SECONDS, DRAIN_SECONDS = setting("WORK_SECONDS", 1), setting("DRAIN_SECONDS", 10)
RECONNECT_SECONDS = setting("RECONNECT_SECONDS", 5)
MAX_PER_ADDRESS = setting("MAX_PER_ADDRESS", 10)
clients, kept = [], []
draining = False


class Client:
    def __init__(self, websocket):
        self.websocket, self.job = websocket, None
        self.address, self.ended = websocket.client.host, asyncio.Event()

    async def close(self, code, reason):
        with suppress(Exception):
            await self.websocket.close(code, reason)
        self.ended.set()

    async def leave(self):
        loop = asyncio.get_running_loop()
        end = loop.time() + DRAIN_SECONDS
        with suppress(Exception):
            seconds = random.uniform(0, RECONNECT_SECONDS)
            restart = {"type": "restart", "retry_after": seconds}
            await self.websocket.send_json(restart)
        if self.job:
            await asyncio.wait([self.job], timeout=end - loop.time())
        await self.close(1012, "Restarting")

    async def work(self, text):
        await asyncio.sleep(WORK_SECONDS)
        with suppress(Exception):
            await self.websocket.send_json({"type": "done", "text": text})

    async def run(self):
        while (message := await self.websocket.receive())["type"].endswith("receive"):
            if draining:
                continue
            if message.get("text") is None:
                await self.close(1003, "Text only")
                return
            self.job = asyncio.ensure_future(self.work(message["text"]))
            ended = asyncio.ensure_future(self.ended.wait())
            await asyncio.wait([self.job, ended], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            self.job.cancel()
            self.job = None


async def drain():
    global draining
    if not draining:
        draining = True
        kept.extend(asyncio.ensure_future(client.leave()) for client in clients)


@asynccontextmanager
async def lifespan(app):
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    async def drain_and_end(number):
        await drain()
        for _ in range(int(DRAIN_SECONDS * 50)):
            if clients:
                await asyncio.sleep(0.02)
        before(number, None)

    def handle(number, frame):
        go = lambda: kept.append(asyncio.ensure_future(drain_and_end(number)))  # noqa
        loop.call_soon_threadsafe(go)

    signal.signal(signal.SIGTERM, handle)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz():
    status = {"status": "draining" if draining else "ok", "connections": len(clients)}
    return JSONResponse(status, 503 if draining else 200)


@app.post("/drain", status_code=202)
async def post_drain():
    await drain()
    return {"status": "draining"}


@app.websocket("/ws")
async def socket(websocket: WebSocket):
    client = Client(websocket)
    if draining:
        raise HTTPException(503, headers={"Retry-After": "2"})
    if sum(each.address == client.address for each in clients) >= MAX_PER_ADDRESS:
        raise HTTPException(429)
    clients.append(client)
    try:
        await websocket.accept()
        await client.run()
    finally:
        clients.remove(client)
