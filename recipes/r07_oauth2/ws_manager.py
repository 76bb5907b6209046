"""Who is connected, and how a message reaches them."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from fastapi import WebSocket, WebSocketDisconnect

from recipes.r07_oauth2.patience import Patience

logger = logging.getLogger("uvicorn")
Message = Mapping[str, str | bool]

# Seconds that the others may wait for a client, in all, before it is let go.
SEND_TIMEOUT = float(os.environ.get("SEND_TIMEOUT") or 5)


class Member(NamedTuple):
    name: str
    let_go: asyncio.Timeout
    patience: Patience


class ConnectionManager:
    """The connections of one room."""

    def __init__(self) -> None:
        self.active_connections: dict[WebSocket, Member] = {}

    async def connect(self, websocket: WebSocket, name: str = "?") -> asyncio.Timeout:
        """Accept a client and add it, with a name for the log.

        Its handler works inside of what this returns (`async with`), and leaves it
        with TimeoutError when the client has died or was too slow.
        """
        await websocket.accept()
        member = Member(name, asyncio.timeout(None), Patience(SEND_TIMEOUT))
        self.active_connections[websocket] = member
        return member.let_go

    def disconnect(self, websocket: WebSocket, why: str = "") -> None:
        """Forget a client, once or more often; log why, if it is let go."""
        if (member := self.active_connections.pop(websocket, None)) is None:
            return
        if why:
            logger.warning("%s is let go: %s", member.name, why)
        with suppress(RuntimeError):  # the handler is not in there, or not any more
            member.let_go.reschedule(asyncio.get_running_loop().time())

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        """Send to one client. Raises only what `encoded` does, as does `broadcast`."""
        await self._send(encoded(message), websocket)

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        """Send to all but `exclude`, to everyone at once."""
        text = encoded(message)
        everyone = [each for each in self.active_connections if each is not exclude]
        sends = asyncio.gather(*(self._send(text, each) for each in everyone))
        try:
            await asyncio.shield(sends)
        finally:  # whose handler ends meanwhile has said it all the same, to everyone
            await sends

    async def _send(self, text: str, websocket: WebSocket) -> None:
        if (member := self.active_connections.get(websocket)) is None:
            return  # it has left since
        try:
            async with member.patience.bounds():
                await websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):  # it is gone, or closed already
            self.disconnect(websocket)
        except TimeoutError:
            self.disconnect(websocket, f"it kept us waiting for {SEND_TIMEOUT:g} s")
        except Exception as error:  # whatever it is, no sender may suffer from it
            self.disconnect(websocket, repr(error))


def encoded(message: Message) -> str:
    """As JSON. Raises TypeError or ValueError for what nobody could be sent."""
    text = json.dumps(message, ensure_ascii=False, allow_nan=False)
    text.encode()  # half a surrogate pair cannot be sent
    return text
