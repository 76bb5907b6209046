"""Two transports behind the calls of Starlette's TestClient.

`InProcessClient` is TestClient itself, with bounded receives. `LiveClient` talks to a
uvicorn in a child process with the `websockets` client. On both, a session's
`receive()` gives the ASGI messages that TestClient gives, and an app that crashes or
returns without closing reads as a close with 1006, which is what a client makes of a
connection that ends without a close frame (RFC 6455 §7.1.5).
"""

import contextlib
import logging
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Self

import httpx2
from starlette.testclient import (
    TestClient,
    WebSocketDenialResponse,
    WebSocketTestSession,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Close, Frame, Opcode
from websockets.sync.client import connect
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from recipes.workbench.server import AppServer, Crash

# Seconds a test waits for what should come at once.
PATIENCE = 2.0


class NothingCame(AssertionError):
    """The app sent nothing for PATIENCE seconds."""

    def __init__(self) -> None:
        super().__init__(f"nothing came for {PATIENCE:g} s")


class NoAnswer(AssertionError):
    """The server ended the connection without an answer to the handshake."""


class Client(httpx2.Client):
    """What both clients have beside TestClient's calls.

    `transcript` holds a line for each thing sent and received; `stuck` the addresses
    of sessions whose handler still ran PATIENCE seconds after its client left.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.transcript: list[str] = []
        self.stuck: list[str] = []
        self.sessions = 0

    def request(self, method: str, url: Any, **options: Any) -> httpx2.Response:
        """A request, with its answer in the transcript."""
        if str(url).startswith("ws"):  # TestClient's way to open a socket
            return super().request(method, url, **options)
        self.transcript.append(f"   client: {method} {url}")
        response = super().request(method, url, **options)
        text = " ".join(response.text[:1_000].split())
        answer = f"   server: HTTP {response.status_code} {text[:100]}"
        self.transcript.append(answer.rstrip())
        return response

    @property
    def log(self) -> list[tuple[str, str]]:
        """What the app logged in this test, as (level, message)."""
        raise NotImplementedError

    @property
    def crashes(self) -> list[Crash]:
        """What left a handler uncaught in this test; take out what you expected."""
        raise NotImplementedError

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> "Session":
        """A session to be entered with `with`, as in TestClient."""
        raise NotImplementedError

    def raw(self, url: str, window: int | None = None) -> "RawSession":
        """A session for what no well-behaved client does (live only).

        `window` bounds the bytes that the system takes for a client that does not read.
        """
        raise NotImplementedError


class Session(WebSocketTestSession):
    """A test session that keeps the transcript."""

    def __init__(self, client: Client, url: str) -> None:
        client.sessions += 1
        self.client, self.url, self.number = client, url, client.sessions
        self.left = self.failed = False

    def note(self, arrow: str, text: str) -> None:
        """Add a line to the client's transcript, with this session's number."""
        # What happens while a failure makes its way out is no part of the story.
        if not self.failed:
            self.client.transcript.append(f"#{self.number} {arrow} {text}")

    def note_connect(self, headers: Mapping[str, str] | None = None) -> None:
        """Add the handshake, with the headers that the test gave it."""
        with_ = f" with {dict(headers)}" if headers else ""
        self.note("client:", f"connect {self.url}{with_}")

    def note_message(self, arrow: str, message: Message) -> None:
        """Add an ASGI message to the transcript, in words."""
        match message:
            case {"text": str(text)}:
                self.note(arrow, f"text {shortened(text)}")
            case {"bytes": bytes(data)}:
                self.note(arrow, f"binary {shortened(data)}")
            case {"code": 1006}:
                self.note(arrow, "1006: the connection ended without a close frame")
            case {"code": code}:
                reason = message.get("reason")
                self.note(arrow, f"close {code}" + (f" {reason!r}" if reason else ""))
            case {"type": "websocket.accept"}:
                self.note(arrow, "accepted")

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Leave, as a client does, with a close frame."""
        if not self.left:
            self.left = True
            self.note("client:", f"close {code}")
            super().close(code, reason)


def shortened(value: str | bytes) -> str:
    """The value as Python writes it, cut to about a line."""
    return repr(value) if len(value) <= 100 else f"{value[:60]!r}… ({len(value):,})"


# TestClient


class InProcessClient(TestClient, Client):  # type: ignore[misc]
    """TestClient on the app of a module; entered with `with`, for one event loop."""

    def __init__(self, module: ModuleType) -> None:
        self._crashes: list[Crash] = []
        # As on a server: a crash in a handler does not reach the client's code.
        super().__init__(self._collecting(module.app), raise_server_exceptions=False)
        self.transcript, self.stuck, self.sessions = [], [], 0
        self._records = _Records()

    def _collecting(self, app: ASGIApp) -> ASGIApp:
        # Not at the top: it brings FastAPI, and judging does without TestClient.
        from recipes.workbench.child import leaves

        async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except Exception as error:
                for leaf in leaves(error):
                    trace = "".join(traceback.format_exception(leaf))
                    crash = Crash(type(leaf).__name__, str(leaf), None, trace)
                    self._crashes.append(crash)
                raise

        return wrapper

    def __enter__(self) -> Self:
        self._records.attach()
        return super().__enter__()

    def __exit__(self, *args: Any) -> None:
        self._records.detach()
        super().__exit__(*args)

    @property
    def log(self) -> list[tuple[str, str]]:
        return self._records.lines

    @property
    def crashes(self) -> list[Crash]:
        return self._crashes

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> "InProcessSession":
        given = dict(options.get("headers") or {})  # TestClient adds its own to them
        plain = super().websocket_connect(url, subprotocols, **options)
        return InProcessSession(self, url, plain, given)


class _Records(logging.Handler):
    """Collects what is logged to `uvicorn`, which nobody configures here."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []
        self.logger = logging.getLogger("uvicorn")

    def attach(self) -> None:
        self.level_before = self.logger.level
        self.logger.setLevel(logging.INFO)
        self.logger.addHandler(self)

    def detach(self) -> None:
        self.logger.removeHandler(self)
        self.logger.setLevel(self.level_before)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "uvicorn":
            self.lines.append((record.levelname, record.getMessage()))


class InProcessSession(Session):
    """TestClient's session, with bounded receives and a wait for the handler's end."""

    def __init__(
        self,
        client: Client,
        url: str,
        plain: WebSocketTestSession,
        headers: Mapping[str, str],
    ) -> None:
        Session.__init__(self, client, url)
        self.headers = headers
        WebSocketTestSession.__init__(
            self, self._ending(plain.app), plain.scope, plain.portal_factory
        )
        self.ended = threading.Event()

    def _ending(self, app: ASGIApp) -> ASGIApp:
        """The app, which says 1006 when it ends without a close, as a server does."""

        async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
            closed = False

            async def noting(message: Message) -> None:
                nonlocal closed
                closed = closed or message["type"] in {
                    "websocket.close",
                    "websocket.http.response.start",
                }
                await send(message)

            try:
                await app(scope, receive, noting)
            except Exception:
                pass  # the client has collected it
            finally:
                self.ended.set()
            if not closed:
                await send({"type": "websocket.close", "code": 1006, "reason": ""})

        return wrapper

    def __enter__(self) -> Self:
        self.note_connect(self.headers)
        return super().__enter__()

    def __exit__(self, *args: Any) -> bool | None:
        self.failed = args[0] is not None
        self.close()
        # TestClient would cancel the handler now, and hide one that never ends.
        if not self.ended.wait(PATIENCE):
            self.client.stuck.append(self.url)
        return super().__exit__(*args)

    def send(self, message: Message) -> None:
        if message["type"] == "websocket.receive":
            self.note_message("client:", message)
        super().send(message)

    def receive(self) -> Message:
        future = self.portal.start_task_soon(self._send_rx.receive)
        try:
            message = future.result(timeout=PATIENCE)
        except TimeoutError:
            future.cancel()
            raise NothingCame from None
        self.note_message("server:", message)
        return message


# A real server


class LiveClient(Client):
    """TestClient's calls against a server in a child process."""

    def __init__(self, server: AppServer) -> None:
        # Creating the certificate store would take longer than most of the tests.
        address = f"http://127.0.0.1:{server.port}"
        super().__init__(
            base_url=address,
            trust_env=False,
            verify=False,
            timeout=PATIENCE,
            follow_redirects=True,
        )
        self.server = server
        self.since = server.count()
        self._crashes: list[Crash] = []
        self._seen = 0

    @property
    def log(self) -> list[tuple[str, str]]:
        return self.server.log(self.since)

    @property
    def crashes(self) -> list[Crash]:
        new = self.server.crashes(self.since)[self._seen :]
        self._seen += len(new)
        self._crashes += new
        return self._crashes

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> "LiveSession":
        return LiveSession(self, url, subprotocols, **options)

    def raw(self, url: str, window: int | None = None) -> "RawSession":
        return RawSession(self, url, window)

    def shut_down(self) -> bool:
        """Stop the server as Ctrl-C does; whether it ended by itself in time."""
        return self.server.stop()


class LiveSession(Session):
    """A session of the `websockets` client with TestClient's methods."""

    client: LiveClient

    def __init__(
        self,
        client: LiveClient,
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
            message = self._message(self.connection.recv(timeout=PATIENCE))
        except TimeoutError:
            raise NothingCame from None
        except ConnectionClosed as closed:
            message = closing(closed.rcvd)
        self.note_message("server:", message)
        return message

    @staticmethod
    def _message(data: str | bytes) -> Message:
        kind = "text" if isinstance(data, str) else "bytes"
        return {"type": "websocket.send", kind: data}


def closing(frame: Close | None) -> Message:
    """The close frame that came, if one did, as TestClient's `receive()` gives it."""
    code, reason = (frame.code, frame.reason) if frame else (1006, "")
    return {"type": "websocket.close", "code": int(code), "reason": reason}


class RawSession(LiveSession):
    """A client that writes what it likes, does not read until told, and may vanish.

    The handshake and the reading are those of `websockets`; it offers no compression.
    """

    def __init__(self, client: LiveClient, url: str, window: int | None = None) -> None:
        super().__init__(client, url)
        self.window = window

    def __enter__(self) -> Self:
        self.note_connect()
        port = self.client.server.port
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if self.window:
            # Both before connecting. Without them the system takes some 4 MB.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
            if sys.platform != "win32":
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500)
        try:
            self.socket.connect(("127.0.0.1", port))
            self.peer = self.socket.getsockname()[1]
            address = parse_uri(f"ws://127.0.0.1:{port}{self.url}")
            self.protocol = ClientProtocol(address)
            self.protocol.send_request(self.protocol.connect())
            self._events: Iterator[Any] = iter(())
            self._flush()
            # Wait for the 101: a server may lose what comes in the same packet.
            if self._event() is None:
                raise NoAnswer("no answer to the handshake")
            if self.protocol.handshake_exc is not None:
                raise self.protocol.handshake_exc
        except BaseException:
            self.socket.close()
            raise
        self.note("server:", "accepted")
        return self

    def __exit__(self, *args: Any) -> bool | None:
        self.socket.close()
        self._await_handler()
        return None

    def _flush(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for data in self.protocol.data_to_send():
                self.socket.sendall(data)

    def _event(self) -> Any:
        """The next thing that came, or None at the end of the connection."""
        while (event := next(self._events, None)) is None:
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                data = b""
            except TimeoutError:
                raise NothingCame from None
            if not data:
                return None
            self.protocol.receive_data(data)
            self._flush()
            self._events = iter(self.protocol.events_received())
        return event

    def receive(self) -> Message:
        """The next message or close; pings and pongs are passed over."""
        while isinstance(frame := self._event(), Frame):
            match frame.opcode:
                case Opcode.TEXT:
                    return self._noted(self._message(bytes(frame.data).decode()))
                case Opcode.BINARY:
                    return self._noted(self._message(bytes(frame.data)))
                case Opcode.CLOSE:
                    return self._noted(closing(Close.parse(frame.data)))
        return self._noted(closing(None))

    def _noted(self, message: Message) -> Message:
        self.note_message("server:", message)
        return message

    def send(self, message: Message) -> None:
        """Send a whole message of TestClient's kind."""
        self.note_message("client:", message)
        if (text := message.get("text")) is not None:
            self.write(masked(Opcode.TEXT, text.encode()))
        else:
            self.write(masked(Opcode.BINARY, message["bytes"]))

    def write(self, data: bytes) -> None:
        """Write bytes, whatever they mean; a closed peer's are lost."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def stall(self, frame: bytes) -> None:
        """Send a frame again and again, and read nothing, until nobody takes more."""
        self.note("client:", "sends and reads nothing")
        self.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            # Beside what the server reads, the system stores some 10 MB on the way.
            for _ in range(64 * 2**20 // len(frame) // 100):
                self.socket.sendall(100 * frame)
            raise AssertionError("the server took 64 MiB")
        self.socket.settimeout(PATIENCE)

    def cut(self) -> None:
        """End the connection with a TCP reset, without a close frame."""
        self.note("client:", "cuts the connection (TCP reset)")
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()


def masked(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    """A frame as a client writes it: masked (RFC 6455 §5.1)."""
    return Frame(opcode, data, fin).serialize(mask=True)
