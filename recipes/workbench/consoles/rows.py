"""Consoles and their frames, as the page shows them: one row for each frame."""

import contextlib
import json
from typing import Literal, NotRequired, TypedDict

from websockets.exceptions import ProtocolError
from websockets.frames import Close

from recipes.workbench.consoles.console import MOST_SHOWN, Console, Seen
from recipes.workbench.consoles.exchange import Closed, Exchange, Refused, name_of
from recipes.workbench.tail import Piece


class RefusedShown(TypedDict):
    """The answer to a handshake that was refused."""

    kind: Literal["refused"]
    status: str
    headers: list[tuple[str, str]]
    body: str
    left_out: int


class ClosedShown(TypedDict):
    """Who ended the connection, and how."""

    kind: Literal["closed"]
    by: str
    code: int
    name: str
    reason: str


class FailedShown(TypedDict):
    """Why there was no answer to the handshake."""

    kind: Literal["failed"]
    sentence: str


EndShown = RefusedShown | ClosedShown | FailedShown


class ConsoleShown(TypedDict):
    """A console's state."""

    tell: Literal["console"]
    console: int
    run: int
    state: str
    trouble: str
    subprotocol: str
    end: EndShown | None


class Row(TypedDict):
    """A frame: its time in seconds since the connection began, its size in bytes.

    Its payload is a `text`, also unfolded if that is `json`, or in `hex`; of a long one
    the first bytes, and how many are `left_out`.
    """

    at: float
    sent: bool
    kind: str
    size: int
    final: bool
    text: NotRequired[str]
    json: NotRequired[str]
    hex: NotRequired[str]
    left_out: NotRequired[int]


class Rows(TypedDict):
    """Frames that came to a console, and how many before them are left out."""

    tell: Literal["frames"]
    console: int
    run: int
    frames: list[Row]
    left_out: int


def console_shown(number: int, console: Console) -> ConsoleShown:
    """A console's state."""
    return {
        "tell": "console",
        "console": number,
        "run": console.run,
        "state": console.state,
        "trouble": console.trouble,
        "subprotocol": console.subprotocol,
        "end": end_shown(console.exchange),
    }


def end_shown(exchange: Exchange | None) -> EndShown | None:
    """How an exchange ended; None while it has not."""
    end = exchange.end if exchange else None
    if isinstance(end, Refused):
        return {
            "kind": "refused",
            "status": f"{end.status} {end.phrase}".strip(),
            "headers": end.headers,
            "body": end.body[:MOST_SHOWN].decode(errors="replace"),
            "left_out": max(0, len(end.body) - MOST_SHOWN),
        }
    if isinstance(end, Closed):
        return {
            "kind": "closed",
            "by": end.by,
            "code": end.code,
            "name": end.name,
            "reason": end.reason,
        }
    return {"kind": "failed", "sentence": end.sentence} if end else None


def rows_shown(number: int, run: int, began: float, piece: Piece[Seen]) -> Rows:
    """Frames of the connection that `began` then, the console's `run`-th."""
    return {
        "tell": "frames",
        "console": number,
        "run": run,
        "frames": [row(seen, began) for seen in piece.items],
        "left_out": piece.left_out,
    }


def row(seen: Seen, began: float) -> Row:
    """A frame of the connection that `began` then."""
    frame, data = seen.frame, seen.frame.data
    shown: Row = {
        "at": round(frame.at - began, 3),
        "sent": frame.sent,
        "kind": frame.kind,
        "size": seen.size,
        "final": frame.final,
    }
    if seen.size > len(data):
        shown["left_out"] = seen.size - len(data)
    if frame.kind == "close":
        shown["text"] = close_shown(data)
    elif frame.kind == "text":
        shown["text"] = data.decode(errors="replace")
        if "left_out" not in shown and shown["text"].lstrip()[:1] in {"{", "["}:
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(shown["text"])
                unfolded = json.dumps(value, indent=2, ensure_ascii=False)
                # Deep brackets indent a short text into a long one.
                if len(unfolded) <= 5 * MOST_SHOWN:
                    shown["json"] = unfolded
    else:
        shown["hex"] = data.hex(" ")
    return shown


def close_shown(data: bytes) -> str:
    """What a close frame says."""
    try:
        close = Close.parse(data)
    except (ProtocolError, UnicodeDecodeError):
        return f"not as RFC 6455 §5.5.1 wants it: {data.hex(' ')}"
    return f"{close.code} {name_of(close.code)} {close.reason}".strip()
