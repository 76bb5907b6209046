"""A WebSocket client for the page: it connects, sends, and records every frame.

It is the client of `websockets`, so it can send headers that a browser cannot, and see
what a browser hides: the answer to a refused handshake, pings, who closed and how.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import Close
from websockets.protocol import Protocol
from websockets.typing import Origin, Subprotocol

from recipes.workbench.consoles.exchange import Closed, Exchange, Failed, Frame, Refused
from recipes.workbench.consoles.target import Target, checked
from recipes.workbench.consoles.wire import (
    CLOSE_TIMEOUT,
    Recorder,
    connect_once,
    why_no_handshake,
)
from recipes.workbench.refusal import Refusal
from recipes.workbench.tail import Tail

# Seconds: to open, and for the server to take what is sent.
OPEN_TIMEOUT = 10.0
SEND_TIMEOUT = 5.0
# A console shows what comes, however big: up to uvicorn's own limit.
MOST_BYTES = 16 * 2**20
# Frames that wait for the page, the bytes of each that are shown, and messages that
# wait to be sent.
MOST_FRAMES = 10_000
MOST_SHOWN = 4_000
MOST_WAITING = 100

# Close codes, RFC 6455 §7.4; 1004, 1005, 1006 and 1015 are never sent.
MAY_BE_SENT = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}


class Seen(NamedTuple):
    """A frame as it is shown: its payload cut to MOST_SHOWN, and its real size."""

    frame: Frame
    size: int


class Console:
    """One console: at most one connection at a time.

    Attributes:
        run: how many connections it has tried.
        state: idle, connecting, open, closing or over.
        exchange: the connection's record, or that of the last one.
        frames: its frames, as the page has yet to see them.
        trouble: why the last thing asked for was not done.
        subprotocol: what the server chose.
    """

    def __init__(self, changed: Callable[[], None], allow_remote: bool) -> None:
        self.run = 0
        self.state = "idle"
        self.exchange: Exchange | None = None
        self.frames: Tail[Seen] = Tail(MOST_FRAMES)
        self.trouble = ""
        self.subprotocol = ""
        self._changed = changed
        self._allow_remote = allow_remote
        self._orders: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(
            MOST_WAITING
        )
        self._connection: Recorder | None = None
        # The one of the latest handshake, also if it was refused.
        self._dialled: Recorder | None = None
        self._task: asyncio.Task[None] | None = None
        self._cut = False
        self._close_told = False

    def _turn_to(self, state: str) -> None:
        self.state = state
        self._changed()

    def complain(self, sentence: str) -> None:
        """Say why something was not done."""
        self.trouble = sentence
        self._changed()

    def _tell(self, frame: Frame) -> None:
        assert self.exchange is not None
        self.exchange.add(frame)
        shown = frame._replace(data=frame.data[:MOST_SHOWN])
        self.frames.add(Seen(shown, len(frame.data)))
        self._changed()

    # The connection's life

    def connect(self, target: Target) -> Exchange:
        """Connect; the record of it. Raises Refusal: is connected, or `checked`."""
        if self.state in {"connecting", "open", "closing"}:
            raise Refusal("This console is connected: close it first.")
        target = checked(target, self._allow_remote)
        self.run += 1
        self.exchange = Exchange(target)
        self.frames = Tail(MOST_FRAMES)
        self._orders = asyncio.Queue(MOST_WAITING)
        self.trouble = self.subprotocol = ""
        self._cut = self._close_told = False
        self._dialled = None
        self._turn_to("connecting")
        self._task = asyncio.create_task(self._live(target, self.exchange))
        return self.exchange

    async def _live(self, target: Target, exchange: Exchange) -> None:
        exchange.began = time.monotonic()
        end: Refused | Closed | Failed
        try:
            end = await self._converse(target, exchange)
        except InvalidStatus as refusal:
            self._note_handshake(exchange)
            answer = refusal.response
            headers, body = list(answer.headers.raw_items()), bytes(answer.body or b"")
            end = Refused(answer.status_code, answer.reason_phrase, headers, body)
        except TimeoutError:
            end = Failed(f"No answer to the handshake in {OPEN_TIMEOUT:.0f} s.")
        except ConnectionRefusedError:
            end = Failed("Nobody listens there: is the server running, on that port?")
        except (OSError, EOFError, WebSocketException, ValueError) as error:
            self._note_handshake(exchange)
            end = Failed(why_no_handshake(error, target))
        exchange.ended = time.monotonic()
        exchange.end = end
        self._turn_to("over")

    async def _converse(self, target: Target, exchange: Exchange) -> Closed:
        async with connect_once(
            target.url,
            origin=Origin(target.origin) if target.origin else None,
            subprotocols=[Subprotocol(name) for name in target.subprotocols] or None,
            additional_headers=list(target.headers),
            proxy=None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            # Pings are sent when the user says so.
            ping_interval=None,
            max_size=MOST_BYTES,
            # A factory is as good as a class here; the annotation knows classes only.
            create_connection=cast(type[ClientConnection], self._recorder),
        ) as connection:
            assert isinstance(connection, Recorder)
            exchange.began = time.monotonic()
            self.subprotocol = connection.subprotocol or ""
            self._connection = connection
            self._note_handshake(exchange)
            self._turn_to("open")
            orders = asyncio.create_task(self._obey())
            try:
                # Whatever comes has been recorded as frames; this keeps it flowing.
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        async for _ in connection.recv_streaming(decode=False):
                            pass
            finally:
                self._connection = None
                orders.cancel()
        return self._how_it_ended(connection.protocol)

    def _recorder(self, *arguments: Any, **options: Any) -> Recorder:
        recorder = Recorder(*arguments, **options)
        recorder.told = self._tell
        self._dialled = recorder
        return recorder

    def _note_handshake(self, exchange: Exchange) -> None:
        if self._dialled is not None:
            exchange.handshake = self._dialled.handshake_shown()

    def _how_it_ended(self, protocol: Protocol) -> Closed:
        received, sent = protocol.close_rcvd, protocol.close_sent
        if sent and not self._close_told:
            # websockets answers a close, and closes what breaks the protocol.
            self._tell(Frame(time.monotonic(), True, "close", sent.serialize()))
        if received and protocol.close_rcvd_then_sent is not False:
            return Closed("server", received.code, received.reason)
        if sent:
            return Closed("client", sent.code, sent.reason)
        return Closed("client" if self._cut else "server", 1006, "")

    # What can be asked for while it is open

    def order(self, action: Callable[[ClientConnection], Awaitable[None]]) -> None:
        """Do something with the connection, after what was asked for before.

        Raises Refusal: not connected, or too much waits already.
        """
        connection = self._connection
        if connection is None:
            raise Refusal("Not connected.")
        if self.state == "closing":
            raise Refusal("The connection is closing.")
        try:
            self._orders.put_nowait(lambda: action(connection))
        except asyncio.QueueFull:
            raise Refusal(
                f"{MOST_WAITING} messages wait: the server does not read."
            ) from None
        self.trouble = ""

    async def _obey(self) -> None:
        while True:
            action = await self._orders.get()
            try:
                await action()
            except TimeoutError:
                self.complain(
                    f"The server has not read for {SEND_TIMEOUT:.0f} s; "
                    "what is sent waits in buffers."
                )
            except ConnectionClosed:
                self.complain("Not sent: the connection is over.")
            except (WebSocketException, ValueError) as error:
                self.complain(f"Not sent: {error}.")

    def send(self, message: str | bytes) -> None:
        """Send a text or binary message. Raises Refusal."""
        if isinstance(message, str):
            try:
                data, kind = message.encode(), "text"
            except UnicodeEncodeError:
                raise Refusal("A half of a surrogate pair is not text.") from None
        else:
            data, kind = message, "binary"

        async def action(connection: ClientConnection) -> None:
            self._tell(Frame(time.monotonic(), True, kind, data))
            async with asyncio.timeout(SEND_TIMEOUT):
                await connection.send(message)

        self.order(action)

    def ping(self, payload: bytes) -> None:
        """Send a ping. Raises Refusal: its payload is over 125 bytes."""
        if len(payload) > 125:
            raise Refusal("A ping holds at most 125 bytes (RFC 6455 §5.5).", "data")

        async def action(connection: ClientConnection) -> None:
            self._tell(Frame(time.monotonic(), True, "ping", payload))
            async with asyncio.timeout(SEND_TIMEOUT):
                await connection.ping(payload)

        self.order(action)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake. Raises Refusal: RFC 6455 does not allow that."""
        if code not in MAY_BE_SENT:
            raise Refusal(
                f"{code} cannot be sent: 1000 to 1014 without 1004 to 1006, or 3000 to "
                "4999 (RFC 6455 §7.4).",
                "code",
            )
        data = Close(code, reason).serialize()
        if len(data) > 125:
            raise Refusal(
                "A reason holds at most 123 bytes of UTF-8 (RFC 6455 §5.5).", "data"
            )

        async def action(connection: ClientConnection) -> None:
            self._tell(Frame(time.monotonic(), True, "close", data))
            self._close_told = True
            self._turn_to("closing")
            await connection.close(code, reason)

        self.order(action)
        # What was sent before goes first; if nobody reads that, the line is cut.
        loop = asyncio.get_running_loop()
        loop.call_later(SEND_TIMEOUT + CLOSE_TIMEOUT, self._give_up, self._connection)

    def _give_up(self, connection: Recorder | None) -> None:
        if connection is self._connection:
            self.cut()

    def cut(self) -> None:
        """End the TCP connection without a word, as a lost line does."""
        if self._connection is None:
            raise Refusal("Not connected.")
        self._cut = True
        self._connection.transport.abort()

    async def end(self) -> None:
        """Drop the connection and wait until that is done."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            if self._connection is not None:
                self._connection.transport.abort()
            await asyncio.wait([self._task], timeout=CLOSE_TIMEOUT)
