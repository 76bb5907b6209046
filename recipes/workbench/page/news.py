"""Consoles and their frames, as the page takes them."""

import contextlib
import json
from typing import Any

from websockets.exceptions import ProtocolError
from websockets.frames import Close

from recipes.workbench.consoles.console import MOST_SHOWN, Console, Seen
from recipes.workbench.consoles.exchange import Closed, Failed, Refused, name_of


def console_shown(number: int, console: Console) -> dict[str, Any]:
    """A console's state, as the page takes it."""
    shown: dict[str, Any] = {
        "tell": "console",
        "console": number,
        "run": console.run,
        "state": console.state,
        "trouble": console.trouble,
        "subprotocol": console.subprotocol,
        "end": None,
    }
    end = console.exchange.end if console.exchange else None
    if isinstance(end, Refused):
        shown["end"] = {
            "kind": "refused",
            "status": f"{end.status} {end.phrase}".strip(),
            "headers": end.headers,
            "body": end.body[:MOST_SHOWN].decode(errors="replace"),
            "left_out": max(0, len(end.body) - MOST_SHOWN),
        }
    elif isinstance(end, Closed):
        shown["end"] = {
            "kind": "closed",
            "by": end.by,
            "code": end.code,
            "name": end.name,
            "reason": end.reason,
        }
    elif isinstance(end, Failed):
        shown["end"] = {"kind": "failed", "sentence": end.sentence}
    return shown


def close_shown(data: bytes) -> str:
    """What a close frame says."""
    try:
        close = Close.parse(data)
    except (ProtocolError, UnicodeDecodeError):
        return f"not as RFC 6455 §5.5.1 wants it: {data.hex(' ')}"
    return f"{close.code} {name_of(close.code)} {close.reason}".strip()


def frame_shown(seen: Seen, began: float) -> dict[str, Any]:
    """A frame, as the page takes it: its time in seconds since the connection began."""
    frame, data = seen.frame, seen.frame.data
    shown: dict[str, Any] = {
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
