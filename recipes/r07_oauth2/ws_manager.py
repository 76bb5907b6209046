"""Who is connected, and how a message reaches them."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress

from fastapi import WebSocket

Message = Mapping[str, str | bool]

# Seconds that a client may take for one message before it is let go.
SEND_TIMEOUT = float(os.environ.get("SEND_TIMEOUT") or 5)


class ConnectionManager:
    """The connections of one room."""

    def __init__(self) -> None:
        self.active_connections: dict[WebSocket, asyncio.Timeout] = {}
        self._deadlines: dict[WebSocket, float] = {}

    async def connect(self, websocket: WebSocket, seconds: float) -> asyncio.Timeout:
        """Accept a client and add it, for so many seconds at most.

        Its handler works inside of what this returns (`async with`), and leaves it
        with TimeoutError when the time is over, or the client has died or did not
        read in time.
        """
        await websocket.accept()
        self.active_connections[websocket] = asyncio.timeout(seconds)
        return self.active_connections[websocket]

    def disconnect(self, websocket: WebSocket) -> None:
        """Forget a client, once or more often."""
        let_go = self.active_connections.pop(websocket, None)
        if let_go is not None:
            # RuntimeError: the handler is not in there, or has left it already.
            with suppress(RuntimeError):
                let_go.reschedule(asyncio.get_running_loop().time())

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        """Send to one client; one that cannot take it is let go. It never raises."""
        # One deadline for a client, shared by all who wait to send to it.
        now = asyncio.get_running_loop().time()
        deadline = self._deadlines.setdefault(websocket, now + SEND_TIMEOUT)
        try:
            async with asyncio.timeout_at(deadline):
                await websocket.send_json(message)
        except Exception:  # whatever it is, no sender may suffer from a recipient
            self.disconnect(websocket)
        finally:
            self._deadlines.pop(websocket, None)

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        """Send to all but `exclude`, to everyone at once."""
        everyone = [each for each in self.active_connections if each is not exclude]
        await asyncio.gather(
            *(self.send_personal_message(message, each) for each in everyone)
        )
