"""What the code of an app does just now: where it waits, and what it holds up.

Looked at by a thread of its own, since an app that holds its event loop tells nothing.
"""

import asyncio
import linecache
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

# Seconds between two looks, and for which an event loop that stands still is told of.
INTERVAL = 0.05
LONG = 0.2
# Characters of a line that are told.
LONGEST_SOURCE = 120


class Place(NamedTuple):
    """A line of the app's file, and what stands there."""

    line: int
    source: str


class Handler(NamedTuple):
    """A handler that runs: of a "websocket" or an "http" request, and its task."""

    kind: str
    path: str
    peer: int
    task: "asyncio.Task[Any]"


def source_of(file: str, line: int | None) -> str:
    """What stands on a line of the file; empty if that cannot be had."""
    return linecache.getline(file, line).strip()[:LONGEST_SOURCE] if line else ""


def is_in(frame: FrameType, file: str) -> bool:
    return os.path.realpath(frame.f_code.co_filename) == os.path.realpath(file)


def waiting_at(task: "asyncio.Task[Any]", file: str) -> Place | None:
    """The innermost line of `file` on which a suspended task waits."""
    place = None
    waits: Any = task.get_coro()
    while waits is not None:
        # A coroutine, a generator or an asynchronous one; below are only futures.
        kind = next((k for k in ("cr", "gi", "ag") if hasattr(waits, f"{k}_frame")), "")
        if not kind:
            break
        frame = getattr(waits, f"{kind}_frame")
        if frame is not None and is_in(frame, file):
            place = Place(frame.f_lineno, source_of(file, frame.f_lineno))
        waits = getattr(waits, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
    return place


def busy_at(file: str) -> Place | None:
    """The innermost line of `file` that the main thread executes, if it does."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if is_in(frame, file):
            return Place(frame.f_lineno, source_of(file, frame.f_lineno))
        frame = frame.f_back
    return None


def watch_loop(
    loop: asyncio.AbstractEventLoop,
    file: str,
    serves: threading.Event,
    tell: Callable[[float, Place], None],
) -> None:
    """Tell how long the app's own code held the event loop, and on which line.

    Runs in a thread, until the loop is closed. A machine that is busy with something
    else holds up the loop, too: only what is seen in the file itself counts.

    Args:
        loop: the event loop of the main thread.
        file: the app's file.
        serves: set while a handler runs; without one nobody waits for the loop.
        tell: called after LONG seconds or more of it, with the seconds.
    """
    while serves.wait():
        answered = threading.Event()
        asked = time.monotonic()
        try:
            loop.call_soon_threadsafe(answered.set)
        except RuntimeError:
            return
        seen = []
        while not answered.wait(INTERVAL):
            if time.monotonic() - asked > 60:
                return  # whoever waits for it has gone
            seen.append(busy_at(file))
        took = time.monotonic() - asked
        places = [place for place in seen if place is not None]
        if took >= LONG and len(places) > max(2, 0.8 * len(seen)):
            tell(took, Counter(places).most_common(1)[0][0])
        time.sleep(max(0, INTERVAL - took))
