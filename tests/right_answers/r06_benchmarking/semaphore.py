"""A list, a semaphore, and one bound that is moved."""

import asyncio
import json
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated

from fastapi import (
    FastAPI,
    Query,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)

from recipes.r06_benchmarking.rules import Username, printable, receive_text

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Exercise: an outbox for each client")

# What may wait for one client: texts, and bytes of UTF-8.
OUTBOX_LIMIT = int(os.environ.get("OUTBOX_LIMIT") or 100)
OUTBOX_BYTES = 4 * 2**20
# Seconds that a client may take for one text, and for the close.
STALL_TIMEOUT = float(os.environ.get("STALL_TIMEOUT") or 20)
CLOSE_TIMEOUT = float(os.environ.get("CLOSE_TIMEOUT") or 5)


class Outbox:
    """A list of places, and a writer that is woken by a semaphore."""

    def __init__(self, websocket: WebSocket, limit: int = 100) -> None:
        self.websocket = websocket
        self.limit = limit
        self.evicted = False
        self.texts: list[bytes] = []
        self.filled = asyncio.Semaphore(0)

    def put(self, text: str) -> None:
        data = text.encode()
        waiting = len(data) + sum(map(len, self.texts))
        self.evicted |= len(self.texts) >= self.limit or waiting > OUTBOX_BYTES
        if not self.evicted:
            self.texts.append(data)
            self.filled.release()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as bound:
                while not self.evicted:
                    await self.filled.acquire()
                    bound.reschedule(loop.time() + STALL_TIMEOUT)
                    await self.websocket.send_text(self.texts.pop(0).decode())
                    bound.reschedule(None)
        except TimeoutError:
            self.evicted = True
        except (WebSocketDisconnect, RuntimeError):
            return
        await self.close()

    async def close(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.websocket.send(
                    {"type": "websocket.close", "code": 1013, "reason": "Too slow"}
                )


# Given: recipe 5's chat, which puts into outboxes and never waits for a client.
room: dict[WebSocket, Outbox] = {}
turn = asyncio.Lock()


async def broadcast(
    sender: str, message: str, exclude: WebSocket | None = None
) -> None:
    everyone = [room[each] for each in room if each is not exclude]
    # One at a time, and the writers have some turns before the next: else a hundred who
    # speak or leave in one moment would fill the outbox of a client that reads.
    async with turn:
        put_into(everyone, sender, message)
        for _ in range(4):  # asyncio.wait_for() around a send alone takes three
            await asyncio.sleep(0)


def put_into(outboxes: Iterable[Outbox], sender: str, message: str) -> None:
    text = json.dumps({"sender": sender, "message": message}, ensure_ascii=False)
    for outbox in outboxes:
        outbox.put(text)


@app.websocket("/chatroom/{username}")
async def chatroom(websocket: WebSocket, username: Username) -> None:
    await websocket.accept()
    outbox = room[websocket] = Outbox(websocket, OUTBOX_LIMIT)
    talking = asyncio.create_task(converse(websocket, username))
    writing = asyncio.create_task(outbox.run())
    try:
        await announce(f"{username} joined the chat", websocket)
        # Whichever ends first ends the other.
        await asyncio.wait({talking, writing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        del room[websocket]
        talking.cancel()
        writing.cancel()
        await announce(f"{username} left the chat")
    for task in (writing, talking):
        if task.done() and not task.cancelled():
            await part(websocket, task.exception())


async def converse(websocket: WebSocket, username: str) -> None:
    while True:
        text = await receive_text(websocket)
        logger.info("%s says: %s", username, printable(text))
        await broadcast(username, text, websocket)
        mine = {"sender": "You", "message": text}
        room[websocket].put(json.dumps(mine, ensure_ascii=False))


async def part(websocket: WebSocket, reason: BaseException | None) -> None:
    """Close with what broke a rule; anything but a leave is a bug, and raised."""
    if isinstance(reason, WebSocketException):
        # A client that does not read cannot be told.
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await websocket.close(reason.code, reason.reason)
    elif reason is not None and not isinstance(reason, WebSocketDisconnect):
        raise reason


@app.post("/news")
async def news(count: Annotated[int, Query(ge=1, le=1_000)]) -> None:
    """So many messages at once, without a turn for anybody: `limit` of them fit."""
    for number in range(count):
        put_into(room.values(), "system", f"news {number}")


async def announce(event: str, exclude: WebSocket | None = None) -> None:
    logger.info("%s", event)
    await broadcast("system", event, exclude)
