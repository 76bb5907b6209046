"""Sending without waiting: who does not keep up gets a backlog of its own."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Generator
from typing import Any

from fastapi import WebSocket, WebSocketException
from starlette.types import Send

from recipes.r06_benchmarking import manager
from recipes.r06_benchmarking.beneath import look_at_start, reset
from recipes.r06_benchmarking.manager import GONE, Manager

# Bytes of UTF-8 that may wait for a client that does not keep up.
LONGEST_BACKLOG = 4 * 2**20

Sending = Coroutine[Any, Any, None]


class Resumed:
    """A send that has begun by hand, to be awaited to its end."""

    def __init__(self, sending: Sending, waits_for: Any) -> None:
        self.sending, self.waits_for = sending, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self.waits_for
            yield from self.sending.__await__()
        finally:
            self.sending.close()


def begin(sending: Sending) -> Resumed | None:
    """Drive a send until it would wait; None if it is done.

    An `await` would do the same, but stop us where the client's buffer is full. Nothing
    is written by a send that waits: uvicorn waits first, then writes.
    """
    try:
        waits_for = sending.send(None)
    except StopIteration:
        return None
    return Resumed(sending, waits_for)


class Backlog:
    """What waits for a client, and how many bytes of UTF-8 that is."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, int]] = deque()
        self.size = 0

    def append(self, text: str) -> None:
        # Not characters: an emoji is one, and four bytes.
        size = len(text.encode())
        self.waiting.append((text, size))
        self.size += size

    def popleft(self) -> str:
        text, size = self.waiting.popleft()
        self.size -= size
        return text


class Isolating(Manager):
    """A manager that never waits for a client.

    A send that would wait goes on in a task of its own, which also sends what comes
    meanwhile: only who is slow has a task.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backlogs: dict[WebSocket, Backlog] = {}
        self.drains: dict[WebSocket, asyncio.Task[None]] = {}
        self.evicted: set[WebSocket] = set()

    def meet(self, send: Send) -> None:
        look_at_start(send)

    def send(self, websocket: WebSocket, text: str) -> Sending:
        return websocket.send_text(text)

    def put(self, websocket: WebSocket, text: str) -> None:
        """Send now, or when the client has taken what it was sent before."""
        if (backlog := self.backlogs.get(websocket)) is not None:
            backlog.append(text)
            if backlog.size > LONGEST_BACKLOG:
                self.evict(websocket, f"more than {LONGEST_BACKLOG:,} bytes wait")
            return
        if websocket not in self.active_connections:
            return
        try:
            rest = begin(self.send(websocket, text))
        except GONE:
            self.disconnect(websocket)
        except RuntimeError:  # uvicorn has closed, and waits for the client to read
            self.evict(websocket, "its connection is closing")
        else:
            if rest is not None:
                self.backlogs[websocket] = Backlog()
                drain = asyncio.create_task(self.drain(websocket, rest))
                self.drains[websocket] = drain

    async def drain(self, websocket: WebSocket, rest: Resumed) -> None:
        backlog = self.backlogs[websocket]
        try:
            async with asyncio.timeout(manager.SEND_TIMEOUT):
                await rest
            while backlog.waiting:
                async with asyncio.timeout(manager.SEND_TIMEOUT):
                    await self.send(websocket, backlog.popleft())
            del self.backlogs[websocket], self.drains[websocket]
        except GONE:
            self.drains.pop(websocket, None)
            self.disconnect(websocket)
        except TimeoutError:
            self.evict(websocket, f"it took nothing for {manager.SEND_TIMEOUT:g} s")
        except RuntimeError:
            self.evict(websocket, "its connection is closing")

    def evict(self, websocket: WebSocket, why: str) -> None:
        if websocket in self.active_connections:
            self.evicted.add(websocket)
        super().evict(websocket, why)

    def disconnect(self, websocket: WebSocket) -> None:
        super().disconnect(websocket)
        self.backlogs.pop(websocket, None)
        if (drain := self.drains.pop(websocket, None)) is not None:
            self.evicted.add(websocket)  # it has not read what it was sent
            drain.cancel()

    async def part(
        self, websocket: WebSocket, refusal: WebSocketException | None
    ) -> None:
        """Tell a client why, in CLOSE_TIMEOUT seconds; reset it if it does not read."""
        if refusal or websocket in self.evicted:
            self.evicted.discard(websocket)
            wait = manager.CLOSE_TIMEOUT if refusal else 0
            asyncio.get_running_loop().call_later(wait, reset, websocket)
        await super().part(websocket, refusal)
