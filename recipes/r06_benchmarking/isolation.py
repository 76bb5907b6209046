"""Sending without waiting: who does not keep up gets a backlog of its own."""

import asyncio
import socket
import struct
import sys
from collections import deque
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException
from uvicorn.protocols.utils import ClientDisconnected

from recipes.r06_benchmarking import manager
from recipes.r06_benchmarking.manager import Manager

# Characters that may wait for a client that does not keep up.
LONGEST_BACKLOG = 4 * 2**20

Sending = Coroutine[Any, Any, None]

# What a send raises when the client is gone, by Starlette and by the server itself.
GONE = (WebSocketDisconnect, ClientDisconnected)


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
    """What waits for a client, and how much it is."""

    def __init__(self) -> None:
        self.texts: deque[str] = deque()
        self.size = 0

    def append(self, text: str) -> None:
        self.texts.append(text)
        self.size += len(text)

    def popleft(self) -> str:
        text = self.texts.popleft()
        self.size -= len(text)
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

    def send(self, websocket: WebSocket, text: str) -> Sending:
        return websocket.send_text(text)

    def put(self, websocket: WebSocket, text: str) -> None:
        """Send now, or when the client has taken what it was sent before."""
        if (backlog := self.backlogs.get(websocket)) is not None:
            backlog.append(text)
            if backlog.size > LONGEST_BACKLOG:
                self.evict(websocket)
            return
        try:
            rest = begin(self.send(websocket, text))
        except GONE:
            self.disconnect(websocket)
            return
        except Exception:  # uvicorn has closed, and waits for the client to read
            self.evict(websocket)
            return
        if rest is not None:
            self.backlogs[websocket] = Backlog()
            self.drains[websocket] = asyncio.create_task(self.drain(websocket, rest))

    async def drain(self, websocket: WebSocket, rest: Resumed) -> None:
        backlog = self.backlogs[websocket]
        try:
            async with asyncio.timeout(manager.SEND_TIMEOUT):
                await rest
            while backlog.texts:
                async with asyncio.timeout(manager.SEND_TIMEOUT):
                    await self.send(websocket, backlog.popleft())
            del self.backlogs[websocket], self.drains[websocket]
        except GONE:
            self.drains.pop(websocket, None)
            self.disconnect(websocket)
        except Exception:  # TimeoutError, above all
            self.evict(websocket)

    def evict(self, websocket: WebSocket) -> None:
        self.evicted.add(websocket)
        self.disconnect(websocket)

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


def reset(websocket: WebSocket) -> bool:
    """End a client's connection, if it is still there, with a TCP reset.

    ASGI has no call for it, and `close()` waits behind what the client does not read.
    But the server's `send` is a method of the object that holds the connection, in
    uvicorn at least. Returns whether it could be done.
    """
    protocol = getattr(websocket.scope.get("server_send"), "__self__", None)
    transport = getattr(protocol, "transport", None)
    if transport is None:
        return False
    # To close is then to reset, and to drop what is unsent, also in the kernel.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    with suppress(OSError, ValueError, AttributeError):  # closed already
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    return True
