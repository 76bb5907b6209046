"""What both transports have in common: a client, its sessions, and the transcript."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from starlette.testclient import WebSocketTestSession
from starlette.types import Message

from recipes.workbench.judging.transcript import Transcript, cut
from recipes.workbench.servers.server import Crash

# Seconds a test waits for what should come at once.
PATIENCE = 2.0


class NothingCame(AssertionError):
    """The app sent nothing to `session` for so many `seconds`."""

    def __init__(self, session: "Session", seconds: float = PATIENCE) -> None:
        super().__init__(f"nothing came for {seconds:g} s")
        self.session = session


class NoAnswer(AssertionError):
    """The server ended the connection without an answer to the handshake."""


# What decides, in an answer over HTTP.
TELLING_HEADERS = ["Location", "Set-Cookie", "WWW-Authenticate", "Retry-After"]


class Client(httpx2.Client):
    """What both clients have beside TestClient's calls.

    Attributes:
        transcript: a line for each thing sent and received.
        stuck: the sessions whose handler still ran PATIENCE seconds after its client
            had left, and in words what it waits for.
        still_there: the sessions that were open when the test failed.
        crashed_before: how many crashes there were then; None if none was open.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._begin()

    def _begin(self) -> None:
        self.transcript = Transcript()
        self.stuck: list[tuple[str, str]] = []
        self.still_there: list[Session] = []
        self.crashed_before: int | None = None

    def request(self, method: str, url: Any, **options: Any) -> httpx2.Response:
        """A request, with its answer in the transcript."""
        if str(url).startswith("ws"):  # TestClient's way to open a socket
            return super().request(method, url, **options)
        self.transcript.note("   client:", f"{method} {url}{self._with(options)}")
        try:
            response = super().request(method, url, **options)
        except httpx2.TimeoutException:
            self.transcript.note("   server:", "no answer")
            self.note_where(str(url))
            raise
        for each in [*response.history, response]:
            text = " ".join(each.text[:1_000].split())
            told = [f"HTTP {each.status_code}", *telling(each.headers), cut(text, 100)]
            self.transcript.note("   server:", ", ".join(part for part in told if part))
        return response

    def _with(self, options: dict[str, Any]) -> str:
        """What a request carries, in words."""
        carried = []
        for kind in ("params", "data", "json"):
            if options.get(kind):
                name = {"data": "form", "params": "query"}.get(kind, kind)
                carried.append(f"{name} {cut(str(options[kind]), 200)}")
        if options.get("content"):
            carried.append(f"body {shortened(options['content'])}")
        headers = {k.title(): v for k, v in dict(options.get("headers") or {}).items()}
        jar = "; ".join(f"{each.name}={each.value}" for each in self.cookies.jar)
        if jar and "Cookie" not in headers:
            headers["Cookie"] = jar
        carried += [f"{name} {cut(value)}" for name, value in headers.items()]
        return f" with {', '.join(carried)}" if carried else ""

    def note_where(self, path: str) -> None:
        """Note what the app does with a request to the path, if that is known."""

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
    """A test session that keeps the transcript.

    `left` tells that the client has closed or cut the connection, `ended` that the
    server has, and `failed` that the test has failed while it was open.
    """

    def __init__(self, client: Client, url: str) -> None:
        client.transcript.sessions += 1
        self.client, self.url, self.number = client, url, client.transcript.sessions
        self.left = self.ended = self.failed = False

    @property
    def label(self) -> str:
        """Its number and its address, which tells who it is."""
        return f"#{self.number} {self.url}"

    def note(self, who: str, what: str) -> None:
        """Add a line to the client's transcript, with this session's number."""
        # What happens while a failure makes its way out is no part of the story.
        if not self.failed:
            self.client.transcript.note(f"#{self.number} {who}", what)

    def note_connect(self, headers: Mapping[str, str] | None = None) -> None:
        """Add the handshake, with the headers that the test gave it."""
        told = ", ".join(
            f"{name} {cut(value)!r}" for name, value in dict(headers or {}).items()
        )
        self.note("client:", f"connect {self.url}" + (f" with {told}" if told else ""))

    def note_message(self, who: str, message: Message) -> None:
        """Add an ASGI message to the transcript, in words."""
        match message:
            case {"text": str(text)}:
                self.note(who, f"text {shortened(text)}")
            case {"bytes": bytes(data)}:
                self.note(who, f"binary {shortened(data)}")
            case {"code": 1006}:
                self.ended = True
                self.note(who, "1006: the connection ended without a close frame")
            case {"code": code}:
                self.ended = True
                reason = message.get("reason")
                self.note(who, f"close {code}" + (f" {reason!r}" if reason else ""))
            case {"type": "websocket.accept"}:
                self.note(who, "accepted")

    def note_failure(self) -> None:
        """The test fails while this session is open: what follows is only its end."""
        self.failed = True
        if self.client.crashed_before is None:
            self.client.crashed_before = len(self.client.crashes)
        if not self.left and not self.ended:
            self.client.still_there.append(self)

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Leave, as a client does, with a close frame."""
        if not self.left:
            self.left = True
            if not self.ended:
                self.note("client:", f"close {code}")
            super().close(code, reason)


def shortened(value: str | bytes) -> str:
    """The value as Python writes it, cut to about a line."""
    if len(value) <= (100 if isinstance(value, str) else 30):
        return repr(value)
    return f"{value[: 60 if isinstance(value, str) else 15]!r}… ({len(value):,})"


def telling(headers: httpx2.Headers) -> list[str]:
    """What decides of the headers of an answer."""
    return [
        # Of a cookie, what stands behind its value decides.
        f"{name}: {re.sub(r'[^ ;]{60,}', lambda long: cut(long[0], 40), value)}"
        for name in TELLING_HEADERS
        for value in headers.get_list(name)
    ]
