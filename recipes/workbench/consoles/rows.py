"""Consoles and their frames, as the page shows them: one row for each frame."""

from dataclasses import dataclass
from typing import Literal

from websockets.exceptions import ProtocolError
from websockets.frames import Close

from recipes.workbench.consoles import meaning
from recipes.workbench.consoles.console import MOST_SHOWN, Console, Seen
from recipes.workbench.consoles.exchange import Closed, Exchange, Refused, name_of
from recipes.workbench.desk import News


@dataclass
class RefusedShown:
    """The answer to a handshake that was refused."""

    status: str
    headers: list[tuple[str, str]]
    body: str
    left_out: int
    why: str
    kind: Literal["refused"] = "refused"


@dataclass
class ClosedShown:
    """Who ended the connection, and how."""

    by: str
    code: int
    name: str
    reason: str
    why: str
    kind: Literal["closed"] = "closed"


@dataclass
class FailedShown:
    """Why there was no answer to the handshake."""

    sentence: str
    kind: Literal["failed"] = "failed"


EndShown = RefusedShown | ClosedShown | FailedShown


@dataclass
class ConsoleShown(News):
    """A console's state."""

    console: int
    run: int
    state: str
    trouble: str
    subprotocol: str
    end: EndShown | None
    tell: Literal["console"] = "console"


@dataclass
class HandshakeShown(News):
    """The handshake of a console's connection: the lines sent and received."""

    console: int
    run: int
    sent: str
    received: str
    tell: Literal["handshake"] = "handshake"


@dataclass
class Row:
    """A frame: its time in seconds since the connection began, its size in bytes.

    Its payload is a `text`, or in `hex`; of a long one the first bytes, and how many
    are `left_out`.
    """

    at: float
    sent: bool
    kind: str
    size: int
    final: bool
    left_out: int
    text: str | None = None
    hex: str | None = None


@dataclass
class Rows(News):
    """Frames that came to a console, and how many before them are left out."""

    console: int
    run: int
    frames: list[Row]
    left_out: int
    tell: Literal["frames"] = "frames"


def console_shown(number: int, console: Console) -> ConsoleShown:
    """A console's state."""
    end = end_shown(console.exchange)
    state, trouble = console.state, console.trouble
    return ConsoleShown(number, console.run, state, trouble, console.subprotocol, end)


def handshake_shown(number: int, console: Console) -> HandshakeShown | None:
    """The handshake of a console's connection, once there was an answer."""
    shown = console.exchange.handshake if console.exchange else None
    if shown is None:
        return None
    return HandshakeShown(number, console.run, shown.sent, shown.received)


def end_shown(exchange: Exchange | None) -> EndShown | None:
    """How an exchange ended; None while it has not."""
    end = exchange.end if exchange else None
    if isinstance(end, Refused):
        body = end.body[:MOST_SHOWN].decode(errors="replace")
        left_out = max(0, len(end.body) - MOST_SHOWN)
        status = f"{end.status} {end.phrase}".strip()
        why = meaning.of_refusal(end.status)
        return RefusedShown(status, end.headers, body, left_out, why)
    if isinstance(end, Closed):
        why = meaning.of_code(end.code)
        return ClosedShown(end.by, end.code, end.name, end.reason, why)
    return FailedShown(end.sentence) if end else None


def row(seen: Seen, began: float) -> Row:
    """A frame of the connection that `began` then."""
    (at, sent, kind, data, final), size = seen
    shown = Row(round(at - began, 3), sent, kind, size, final, size - len(data))
    if kind == "close":
        shown.text = close_shown(data)
    elif kind == "text":
        shown.text = data.decode(errors="replace")
    else:
        shown.hex = data.hex(" ")
    return shown


def close_shown(data: bytes) -> str:
    """What a close frame says."""
    try:
        close = Close.parse(data)
    except (ProtocolError, UnicodeDecodeError):
        return f"not as RFC 6455 §5.5.1 wants it: {data.hex(' ')}"
    return f"{close.code} {name_of(close.code)} {close.reason}".strip()
