"""The end of a server: tell everybody, wait, close who is left, and then stop."""

import asyncio
import logging
import random
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType

from fastapi import WebSocket, WebSocketDisconnect

# Seconds that the last close frames have to get out.
LAST_FRAMES = 1.0

logger = logging.getLogger("uvicorn")


class Drain:
    """Who is here, and how they are sent away.

    Attributes:
        draining: whether that has begun; it is not taken back.
        guests: who is here, each with the deadline of its stay.
    """

    def __init__(self) -> None:
        self.draining = False
        self.guests: dict[WebSocket, asyncio.Timeout] = {}
        self._end: float | None = None
        self._spread = 0.0
        self._nobody = asyncio.Event()
        self._telling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def guest(self, websocket: WebSocket) -> AsyncIterator[None]:
        """Count in who was accepted; close it with 1012 if it is here at the end."""
        try:
            async with asyncio.timeout_at(self._end) as self.guests[websocket]:
                if self.draining:  # that began while it was being accepted
                    self._tell(websocket)
                yield
        except TimeoutError:
            await close(websocket, 1012, "Restarting")
        finally:
            del self.guests[websocket]
            if not self.guests:
                self._nobody.set()

    async def run(self, seconds: float, spread: float) -> None:
        """Send everybody away; returns when nobody is left but who does not read.

        Args:
            seconds: how long clients may stay.
            spread: seconds over which they are to come back, so that not all do so in
                the same moment.
        """
        logger.info("Draining: %d connections", len(self.guests))
        self.draining, self._spread = True, spread
        self._end = asyncio.get_running_loop().time() + seconds
        for websocket, deadline in self.guests.items():
            deadline.reschedule(self._end)
            self._tell(websocket)
        if self.guests:
            self._nobody.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._end + LAST_FRAMES):
                    await self._nobody.wait()

    def _tell(self, websocket: WebSocket) -> None:
        # In a task of its own: who does not read holds up nobody else.
        task = asyncio.create_task(tell(websocket, random.uniform(0, self._spread)))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it has just gone
        await websocket.close(code, reason)


async def tell(websocket: WebSocket, seconds: float) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it has just gone
        restart = {"type": "restart", "retry_after": round(seconds, 2)}
        await websocket.send_json(restart)


@contextmanager
def before_sigterm(drain: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """At SIGTERM call `drain` first; what uvicorn does at SIGTERM comes after it.

    A second SIGTERM goes to uvicorn at once. For a lifespan: it runs in the event loop,
    when uvicorn has set its handlers already.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for main threads; TestClient's is another
        return
    uvicorns = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []

    async def drain_and_stop() -> None:
        await drain()
        signal.raise_signal(signal.SIGTERM)

    def begin() -> None:
        draining.append(asyncio.create_task(drain_and_stop()))

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, uvicorns)
        # A signal comes between any two lines; the loop finds a better moment.
        loop.call_soon_threadsafe(begin)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, uvicorns)
        for task in draining:
            task.cancel()
