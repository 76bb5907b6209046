"""The client of `websockets`, made to tell each frame as it goes over the wire."""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from recipes.workbench.consoles.exchange import Frame, Handshake
from recipes.workbench.consoles.target import Target

# Seconds for the server to answer a close, and to end the line after it.
CLOSE_TIMEOUT = 5.0

KINDS = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.CONT: "continuation",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}


class Recorder(ClientConnection):
    """A connection that tells each frame it receives, control frames too."""

    told: Callable[[Frame], None]
    is_ending = False

    def process_event(self, event: Any) -> None:
        if isinstance(event, WireFrame):
            kind = KINDS[event.opcode]
            data = bytes(event.data)
            self.told(Frame(time.monotonic(), False, kind, data, event.fin))
            if event.opcode is Opcode.PING:
                # websockets answers by itself, as RFC 6455 §5.5.3 wants it.
                self.told(Frame(time.monotonic(), True, "pong", data))
        super().process_event(event)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.close_expected() and not self.is_ending:
            # A server that has closed, or broken the protocol, may keep the line up.
            self.is_ending = True
            self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)

    def handshake_shown(self) -> Handshake | None:
        """The handshake's two halves; None if there was no answer in HTTP."""
        request, response = self.request, self.response
        if request is None or response is None:
            return None
        sent = [f"GET {request.path} HTTP/1.1", *lines_of(request.headers)]
        status = f"HTTP/1.1 {response.status_code} {response.reason_phrase}".rstrip()
        return Handshake(
            "\n".join(sent), "\n".join([status, *lines_of(response.headers)])
        )


def lines_of(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.raw_items()]


def why_no_handshake(error: Exception, target: Target) -> str:
    """What an address or a server was wrong in, as a sentence."""
    parts = urlsplit(target.url)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not trusted: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return (
            f"No TLS is spoken there: {parts.scheme}:// needs a server with a "
            "certificate, and one that runs on this machine is reached with "
            f"{parts.scheme.removesuffix('s')}://."
        )
    if isinstance(error, socket.gaierror):
        return f"There is no host named {parts.hostname}."
    if isinstance(error, InvalidMessage | EOFError):
        return "What listens there does not answer in HTTP, or ended the line at once."
    if isinstance(error, OSError):
        return f"No connection: {(error.strerror or str(error)).rstrip('.')}."
    return f"No handshake: {error}."


def why_no_answer(error: Exception, url: str) -> str:
    """The same for a plain request, whose library wraps what went wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError | socket.gaierror):
            return why_no_handshake(cause, Target(url))
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return "No whole answer in time."
    if isinstance(error, httpx2.ConnectError):
        return "Nobody answers there: is the server running?"
    if isinstance(error, httpx2.InvalidURL):
        return "That is no address of a server."
    return "What listens there does not answer in HTTP, or ended the line at once."


class connect_once(connect):
    """`connect`, that does not follow a redirect: it might lead to another machine."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc
