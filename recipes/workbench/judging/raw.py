"""A live client that breaks the rules: for what no well-behaved client does."""

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any, Self

from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from recipes.workbench.judging.live_session import LiveSession, Served, closing
from recipes.workbench.judging.session import PATIENCE


class RawSession(LiveSession):
    """A client that writes what it likes, does not read until told, and may vanish.

    The handshake and the reading are those of `websockets`; it offers no compression.
    """

    def __init__(self, client: Served, url: str, window: int | None = None) -> None:
        super().__init__(client, url)
        self.window = window

    def __enter__(self) -> Self:
        self.note_connect()
        try:
            self._connect()
            self._flush()
            self._answered()
        except BaseException:
            self.socket.close()
            raise
        self.note("server:", "accepted")
        return self

    def _connect(self) -> None:
        """Connect, and have the request ready to be sent."""
        port = self.client.server.port
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if self.window:
            # Both before connecting. Without them the system takes some 4 MB.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
            if sys.platform != "win32":
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500)
        self.socket.connect(("127.0.0.1", port))
        self.peer = self.socket.getsockname()[1]
        address = parse_uri(f"ws://127.0.0.1:{port}{self.url}")
        self.protocol = ClientProtocol(address)
        self.protocol.send_request(self.protocol.connect())
        self._events: Iterator[Any] = iter(())

    def _answered(self) -> None:
        """Wait for the 101: a server may lose what comes in the same packet."""
        try:
            answer = self._event()
        except TimeoutError as error:
            raise self.no_answer(error) from None
        if isinstance(refusal := self.protocol.handshake_exc, InvalidStatus):
            raise self._refused(refusal)
        if answer is None or refusal is not None:
            raise self.no_answer(EOFError())

    def __exit__(self, *args: Any) -> bool | None:
        if args[0] is not None:
            self.note_failure()
        elif not self.left and not self.ended:
            self.note("client:", "is gone, without a close frame")
        self.left = True
        self.socket.close()
        self._await_handler()
        return None

    def _flush(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for data in self.protocol.data_to_send():
                self.socket.sendall(data)

    def _event(self) -> Any:
        """The next thing that came, or None at the end of the connection.

        Raises TimeoutError: there is nothing.
        """
        while (event := next(self._events, None)) is None:
            try:
                data = self.patiently(self._read)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.protocol.receive_data(data)
            self._flush()
            self._events = iter(self.protocol.events_received())
        return event

    def _read(self, wait: float) -> bytes:
        self.socket.settimeout(wait)
        try:
            return self.socket.recv(65_536)
        finally:
            self.socket.settimeout(PATIENCE)

    def _awaited(self) -> Any:
        try:
            return self._event()
        except TimeoutError as error:
            raise self.nothing_came(error) from None

    def receive(self) -> Message:
        """The next message or close; pings and pongs are passed over."""
        while isinstance(frame := self._awaited(), Frame):
            match frame.opcode:
                case Opcode.TEXT:
                    return self.noted(self._message(bytes(frame.data).decode()))
                case Opcode.BINARY:
                    return self.noted(self._message(bytes(frame.data)))
                case Opcode.CLOSE:
                    return self.noted(closing(Close.parse(frame.data)))
        return self.noted(closing(None))

    def send(self, message: Message) -> None:
        """Send a whole message of TestClient's kind."""
        self.note_message("client:", message)
        if (text := message.get("text")) is not None:
            self._write(masked(Opcode.TEXT, text.encode()))
        else:
            self._write(masked(Opcode.BINARY, message["bytes"]))

    def write(self, data: bytes) -> None:
        """Write bytes, whatever they mean; a closed peer's are lost."""
        if data[:1] == masked(Opcode.CLOSE, b"")[:1]:
            self.left = True
            self.note("client:", "a close frame of its own making")
        else:
            self.note("client:", f"writes {len(data):,} bytes in one go")
        self._write(data)

    def _write(self, data: bytes) -> None:
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
        self.left = True
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()


def at_once(client: Served, url: str, times: int) -> list[int]:
    """Ask for the same handshake several times at the same moment, then leave.

    Returns the HTTP status of each answer, sorted; 101 is an accepted one.
    """
    sessions = [RawSession(client, url) for _ in range(times)]
    first, last = sessions[0].number, sessions[-1].number
    client.transcript.note(f"#{first} to #{last} clients:", f"connect {url} at once")
    statuses = []
    try:
        for session in sessions:
            session._connect()
        for session in sessions:
            session._flush()
        for session in sessions:
            try:
                session._answered()
                session.note("server:", "accepted")
                statuses.append(101)
            except WebSocketDenialResponse as refusal:
                statuses.append(refusal.status_code)
    finally:
        for session in sessions:
            session.socket.close()
    for session in sessions:
        session._await_handler()
    return sorted(statuses)


def masked(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    """A frame as a client writes it: masked (RFC 6455 §5.1)."""
    return Frame(opcode, data, fin).serialize(mask=True)
