"""A session with a uvicorn in a child process, by the `websockets` client."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeGuard, TypeVar

from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Close
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from recipes.workbench.judging.bounded import LARGEST_MESSAGE, BoundedConnection
from recipes.workbench.judging.session import (
    PATIENCE,
    Client,
    NoAnswer,
    NothingCame,
    Session,
    telling,
)
from recipes.workbench.judging.transcript import cut
from recipes.workbench.servers.server import AppServer

Received = TypeVar("Received")

# Seconds for an app that the last wait was in vain for. Many tasks fail so together,
# and a learner waits for the verdict on each.
SHORT_PATIENCE = 0.3


class Patience:
    """How long an answer is waited for; shared by the tests that judge it.

    Attributes:
        short: whether the last wait for a message of it was in vain.
    """

    short = False


class Served(Client):
    """A client of a server in a child process.

    Attributes:
        server: that server.
        since: how many reports it had made before this client was there.
        patience: how long it is waited for.
    """

    server: AppServer
    since: int
    patience: Patience

    def where_is(self, kind: str, path: str, peer: int | None = None) -> str:
        """What a handler does now, in words; empty if that is not known.

        Args:
            kind: "websocket" or "http".
            path: the address that it serves.
            peer: the port of its client, if that is known.
        """
        where = self.server.where()
        if where is None:
            return ""
        if where.busy:
            line, source = where.busy
            return f"line {line} holds up the event loop: {source}"
        path = path.partition("?")[0]
        for each in where.handlers:
            same = each.peer == peer if peer is not None else each.path == path
            if same and each.kind == kind and each.line:
                return f"the handler waits on line {each.line}: {each.source}"
        return ""

    def note_where(self, path: str) -> None:
        if does := self.where_is("http", path):
            self.transcript.note("   app:", does)


class LiveSession(Session):
    """A session of the `websockets` client with TestClient's methods."""

    client: Served

    def __init__(
        self,
        client: Served,
        url: str,
        subprotocols: Sequence[str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(client, url)
        self.subprotocols = [Subprotocol(name) for name in subprotocols or ()] or None
        self.headers = headers

    def __enter__(self) -> Self:
        self.note_connect(self.headers)
        # Made here, for its port: a connection closed at once no longer knows it.
        sock = socket.create_connection(("127.0.0.1", self.client.server.port))
        self.peer = sock.getsockname()[1]
        self.exit_stack = contextlib.ExitStack()
        address = str(self.client.base_url.join(self.url)).replace("http", "ws", 1)
        try:
            opening = connect(
                address,
                sock=sock,
                additional_headers=self.headers,
                subprotocols=self.subprotocols,
                proxy=None,
                max_size=LARGEST_MESSAGE,
                create_connection=BoundedConnection,
                max_queue=None,  # it reads on while the test does something else
                open_timeout=PATIENCE,
                close_timeout=PATIENCE,
            )
            self.connection = self.exit_stack.enter_context(opening)
        except InvalidStatus as refusal:
            raise self._refused(refusal) from None
        except (InvalidHandshake, EOFError, TimeoutError) as error:
            raise self.no_answer(error) from None
        assert self.connection.response is not None
        self.accepted_subprotocol = self.connection.subprotocol  # type: ignore[assignment]
        self.extra_headers = list(self.connection.response.headers.raw_items())  # type: ignore[assignment]
        self.note("server:", "accepted")
        return self

    def no_answer(self, error: Exception) -> NoAnswer:
        """What to raise when the handshake came to nothing; the transcript says why."""
        if not isinstance(error, TimeoutError):
            self.note("server:", "ended the connection without an answer")
            return NoAnswer("the server ended the connection without an answer")
        self.note("server:", "no answer to the handshake")
        self.note_where()
        return NoAnswer(f"no answer to the handshake within {PATIENCE:g} s")

    def _refused(self, refusal: InvalidStatus) -> WebSocketDenialResponse:
        response = refusal.response
        denial = WebSocketDenialResponse(
            status_code=response.status_code,
            headers=list(response.headers.raw_items()),
            content=bytes(response.body),
        )
        told = [f"refused with HTTP {response.status_code}", *telling(denial.headers)]
        told.append(cut(" ".join(denial.text.split()), 100) or "(no body)")
        self.note("server:", ", ".join(told).replace(", (no", " (no"))
        self.ended = True
        self.client.server.handler_ended(self.peer, PATIENCE, self.client.since)
        return denial

    def note_where(self) -> None:
        """Note what the session's handler does."""
        if does := self.client.where_is("websocket", self.url, self.peer):
            self.note("app:", does)

    def __exit__(self, *args: Any) -> bool | None:
        if args[0] is not None:
            self.note_failure()
        self.close()
        self.exit_stack.close()
        self._await_handler()
        return None

    def _await_handler(self) -> None:
        server, since = self.client.server, self.client.since
        if not server.handler_ended(self.peer, PATIENCE, since) and server.alive:
            waits = self.client.where_is("websocket", self.url, self.peer)
            self.client.stuck.append((self.url, waits))

    def send(self, message: Message) -> None:
        try:
            if message["type"] == "websocket.disconnect":
                self.connection.close(message["code"], message["reason"] or "")
                return
            self.note_message("client:", message)
            text = message.get("text")
            self.connection.send(message["bytes"] if text is None else text)
        except ConnectionClosed:
            pass  # as with TestClient: a message after the close is lost

    def receive(self) -> Message:
        try:
            message = self._message(self._recv())
        except TimeoutError as error:
            raise self.nothing_came(error) from None
        except ConnectionClosed as closed:
            message = closing(closed.rcvd)
        return self.noted(message)

    def nothing_came(self, error: TimeoutError) -> NothingCame:
        """What to raise when a wait was in vain; noted is what the app does instead."""
        self.client.patience.short = True
        self.note("client:", "waits for a message; none comes")
        self.note_where()
        return NothingCame(self, next(filter(is_seconds, error.args), PATIENCE))

    def noted(self, message: Message) -> Message:
        """The message that came, when it is in the transcript."""
        server = self.client.server
        self.client.patience.short = False
        first = not self.ended
        self.note_message("server:", message)
        if first and message.get("code") == 1006:
            how = server.how_ended(self.peer, SHORT_PATIENCE, self.client.since)
            if how == "returned":
                self.note("app:", "the handler returned without a close")
            elif how:
                self.note("app:", "the handler was ended by an error")
        return message

    def _recv(self) -> str | bytes:
        return self.patiently(lambda wait: self.connection.recv(timeout=wait))

    def patiently(self, receive: Callable[[float], Received]) -> Received:
        """Wait PATIENCE seconds; less for an app that was silent before and rests.

        Args:
            receive: waits for so many seconds, or raises TimeoutError.
        """
        if self.client.patience.short:
            # Its settings may tell it to take its time.
            told = filter(is_seconds, self.client.server.arguments[2].values())
            short = min(PATIENCE, SHORT_PATIENCE + max(told, default=0))
            with contextlib.suppress(TimeoutError):
                return receive(short)
            if not self.client.server.busy:
                raise TimeoutError(short)
        return receive(PATIENCE)

    @staticmethod
    def _message(data: str | bytes) -> Message:
        kind = "text" if isinstance(data, str) else "bytes"
        return {"type": "websocket.send", kind: data}


def is_seconds(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float)


def closing(frame: Close | None) -> Message:
    """The close frame that came, if one did, as TestClient's `receive()` gives it."""
    code, reason = (frame.code, frame.reason) if frame else (1006, "")
    return {"type": "websocket.close", "code": int(code), "reason": reason}
