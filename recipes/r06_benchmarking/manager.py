"""What all steps have in common: who is connected, and a bound for each send."""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException

Message = Mapping[str, str]

# Seconds that a client may take for one message before it is let go, and for the close.
SEND_TIMEOUT = float(os.environ.get("SEND_TIMEOUT") or 5)
CLOSE_TIMEOUT = float(os.environ.get("CLOSE_TIMEOUT") or 5)


class Manager:
    """The connections of one room, as in recipe 5; `broadcast` is a step's own."""

    # Whether joining and leaving are told. n joins send n²/2 notices, which would hide
    # what is measured of thousands of idle connections.
    announces = not os.environ.get("BENCHMARK_QUIET")

    def __init__(self) -> None:
        self.active_connections: dict[WebSocket, asyncio.Timeout] = {}
        self._deadlines: dict[WebSocket, float] = {}

    async def connect(self, websocket: WebSocket) -> asyncio.Timeout:
        """Accept a client and add it; its handler works inside of what this returns."""
        await websocket.accept()
        self.active_connections[websocket] = asyncio.timeout(None)
        return self.active_connections[websocket]

    def disconnect(self, websocket: WebSocket) -> None:
        """Forget a client, once or more often, and end its handler's wait."""
        let_go = self.active_connections.pop(websocket, None)
        if let_go is not None:
            with suppress(RuntimeError):  # the handler is not in there any more
                let_go.reschedule(asyncio.get_running_loop().time())

    async def part(
        self, websocket: WebSocket, refusal: WebSocketException | None
    ) -> None:
        """Say why, if there is something to say and the client can be told in time."""
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                if refusal is not None:
                    await websocket.close(refusal.code, refusal.reason)

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        await self.bounded(websocket, websocket.send_json(message))

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        """Send to all but `exclude`."""
        raise NotImplementedError

    async def bounded(
        self, websocket: WebSocket, sending: Coroutine[object, object, None]
    ) -> None:
        """Await a send, and let the client go that cannot take it in time."""
        now = asyncio.get_running_loop().time()
        deadline = self._deadlines.setdefault(websocket, now + SEND_TIMEOUT)
        try:
            async with asyncio.timeout_at(deadline):
                await sending
        except Exception:
            self.disconnect(websocket)
        finally:
            self._deadlines.pop(websocket, None)
