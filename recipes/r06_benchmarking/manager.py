"""What all steps have in common: who is connected, and a bound for each send."""

import asyncio
import json
import logging
import os
from collections.abc import Coroutine, Mapping
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException
from starlette.types import Send
from uvicorn.protocols.utils import ClientDisconnected

Message = Mapping[str, str]

logger = logging.getLogger("uvicorn")

# Seconds that a client may take for one message before it is let go, and for the close.
SEND_TIMEOUT = float(os.environ.get("SEND_TIMEOUT") or 5)
CLOSE_TIMEOUT = float(os.environ.get("CLOSE_TIMEOUT") or 5)

# What a send raises when the client is gone, by Starlette and by the server itself.
GONE = (WebSocketDisconnect, ClientDisconnected)


def encode(message: Message) -> str:
    """The message as JSON. Raises TypeError for what JSON does not have."""
    return json.dumps(message, ensure_ascii=False)


class Manager:
    """The connections of one room, as in recipe 5; `broadcast` is a step's own."""

    # Whether joining and leaving are told. n joins send n²/2 notices, which would hide
    # what is measured of thousands of idle connections.
    announces = not os.environ.get("BENCHMARK_QUIET")

    def __init__(self) -> None:
        self.active_connections: dict[WebSocket, asyncio.Timeout] = {}
        self._deadlines: dict[WebSocket, float] = {}

    def meet(self, send: Send) -> None:
        """Look at the server that starts us, by its `send` for lifespan events."""

    async def connect(
        self, websocket: WebSocket, subprotocol: str | None = None
    ) -> asyncio.Timeout:
        """Accept a client and add it; its handler works inside of what this returns."""
        await websocket.accept(subprotocol)
        self.active_connections[websocket] = asyncio.timeout(None)
        return self.active_connections[websocket]

    def disconnect(self, websocket: WebSocket) -> None:
        """Forget a client, once or more often, and end its handler's wait."""
        let_go = self.active_connections.pop(websocket, None)
        if let_go is not None:
            with suppress(RuntimeError):  # the handler is not in there any more
                let_go.reschedule(asyncio.get_running_loop().time())

    def evict(self, websocket: WebSocket, why: str) -> None:
        """Let a client go that cannot take its messages, and say so in the log."""
        if websocket in self.active_connections:
            name = websocket.path_params["username"]
            logger.warning("%s is let go: %s", name, why)
            self.disconnect(websocket)

    async def part(
        self, websocket: WebSocket, refusal: WebSocketException | None
    ) -> None:
        """Say why, if there is something to say and the client can be told in time."""
        with suppress(*GONE, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                if refusal is not None:
                    await websocket.close(refusal.code, refusal.reason)

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        # Encoded out here: a message that is none is our mistake, not the client's.
        await self.bounded(websocket, websocket.send_text(encode(message)))

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        """Send to all but `exclude`. One that has begun reaches all of them."""
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
        except GONE:
            self.disconnect(websocket)
        except TimeoutError:
            self.evict(websocket, f"it took nothing for {SEND_TIMEOUT:g} s")
        except RuntimeError:  # uvicorn has closed: a lost ping, or too long a text
            self.evict(websocket, "its connection is closing")
        finally:
            self._deadlines.pop(websocket, None)
