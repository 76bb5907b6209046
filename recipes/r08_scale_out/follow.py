"""How a socket follows the log: what it missed and what comes are read alike."""

import asyncio
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect

from recipes.r08_scale_out.broker import Broker
from recipes.r08_scale_out.frames import BACK, INTERRUPTED, MISSED


class Follower:
    """One socket's way through the log.

    Args:
        joined: the number of its own join in the history.
        since: the id that its client saw last; None if it is new.
    """

    def __init__(
        self,
        websocket: WebSocket,
        broker: Broker,
        client: str,
        joined: int,
        since: str | None,
    ) -> None:
        self.websocket, self.broker, self.client = websocket, broker, client
        self.send_timeout: float = websocket.app.state.send_timeout
        start = broker.history.after(since) if since else joined
        self.missed = start is None
        # From here on it gets everything.
        self.start = broker.history.oldest if start is None else start
        # An interruption that began meanwhile is told, too.
        self.gone = False
        self.told = broker.changes - broker.changes % 2

    async def run(self) -> None:
        """Send what is in the log until the client is gone.

        Raises:
            TimeoutError: the client took no message for `send_timeout` seconds.
            WebSocketDisconnect: uvicorn has closed the connection.
        """
        history = self.broker.history
        at = self.start
        if self.missed:
            await self.send(MISSED)
        while not self.gone:
            news = history.news  # before looking, so that nothing slips through
            while self.told < self.broker.changes:
                self.told += 1
                await self.send(INTERRUPTED if self.told % 2 else BACK)
            if at == history.next:
                await news.wait()
            elif entry := history.get(at):
                at += 1
                if text := entry.for_client(self.client):
                    await self.send(text)
            else:
                # A hole, or this client was so far behind that it is not kept any more.
                at = self.start = history.skip(at)
                await self.send(MISSED)

    def gets(self, id: str) -> bool:
        """Whether the entry of this id comes to this socket, or has come."""
        return self.broker.comes_from(self.start, id)

    async def send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self.send_timeout):
                await self.websocket.send_text(text)
        except WebSocketDisconnect:
            self.gone = True  # receive() says so, behind the last that it sent
        except RuntimeError:  # uvicorn itself has closed
            raise WebSocketDisconnect(1006) from None

    async def close(self, code: int, reason: str) -> None:
        # The client may be gone, or still not reading: then it cannot be told.
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(self.send_timeout):
                await self.websocket.close(code, reason)
