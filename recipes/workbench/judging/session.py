"""What both transports have in common: a client, its sessions, and the transcript."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from starlette.testclient import WebSocketTestSession
from starlette.types import Message

from recipes.workbench.servers.server import Crash

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

    def raw(self, url: str, window: int | None = None) -> "Session":
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
