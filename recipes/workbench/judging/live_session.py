"""A session with a uvicorn in a child process, by the `websockets` client."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Close
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from recipes.workbench.judging.session import (
    PATIENCE,
    Client,
    NoAnswer,
    NothingCame,
    Session,
)
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
                max_size=None,
                max_queue=None,  # it reads on while the test does something else
                open_timeout=PATIENCE,
                close_timeout=PATIENCE,
            )
            self.connection = self.exit_stack.enter_context(opening)
        except InvalidStatus as refusal:
            raise self._refused(refusal) from None
        except (InvalidHandshake, EOFError, TimeoutError) as error:
            raise NoAnswer(f"no answer to the handshake ({error})") from None
        assert self.connection.response is not None
        self.accepted_subprotocol = self.connection.subprotocol  # type: ignore[assignment]
        self.extra_headers = list(self.connection.response.headers.raw_items())  # type: ignore[assignment]
        self.note("server:", "accepted")
        return self

    def _refused(self, refusal: InvalidStatus) -> WebSocketDenialResponse:
        response = refusal.response
        self.note("server:", f"refused with HTTP {response.status_code}")
        self.client.server.handler_ended(self.peer, PATIENCE, self.client.since)
        return WebSocketDenialResponse(
            status_code=response.status_code,
            headers=list(response.headers.raw_items()),
            content=bytes(response.body),
        )

    def __exit__(self, *args: Any) -> bool | None:
        self.failed = args[0] is not None
        self.close()
        self.exit_stack.close()
        self._await_handler()
        return None

    def _await_handler(self) -> None:
        server, since = self.client.server, self.client.since
        if not server.handler_ended(self.peer, PATIENCE, since) and server.alive:
            self.client.stuck.append(self.url)

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
        except TimeoutError:
            self.client.patience.short = True
            raise NothingCame from None
        except ConnectionClosed as closed:
            message = closing(closed.rcvd)
        self.client.patience.short = False
        self.note_message("server:", message)
        return message

    def _recv(self) -> str | bytes:
        return self.patiently(lambda wait: self.connection.recv(timeout=wait))

    def patiently(self, receive: Callable[[float], Received]) -> Received:
        """Wait PATIENCE seconds; less for an app that was silent before and rests.

        Args:
            receive: waits for so many seconds, or raises TimeoutError.
        """
        if self.client.patience.short:
            with contextlib.suppress(TimeoutError):
                return receive(SHORT_PATIENCE)
            if not self.client.server.busy:
                raise TimeoutError
        return receive(PATIENCE)

    @staticmethod
    def _message(data: str | bytes) -> Message:
        kind = "text" if isinstance(data, str) else "bytes"
        return {"type": "websocket.send", kind: data}


def closing(frame: Close | None) -> Message:
    """The close frame that came, if one did, as TestClient's `receive()` gives it."""
    code, reason = (frame.code, frame.reason) if frame else (1006, "")
    return {"type": "websocket.close", "code": int(code), "reason": reason}
