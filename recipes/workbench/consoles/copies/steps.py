"""What happened in exchanges, step by step in time."""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from recipes.workbench.consoles.exchange import Closed, Exchange, Failed, Frame, Refused

# Seconds. A console notes an opening, or a cut, after the server knew of it; others may
# have received before that what the server made of it.
SLACK = 0.05


class Step(NamedTuple):
    """One thing that happened; `who` is the number of the exchange.

    It `does` open, refused, send, receive, ping, close or cut (by the console), closed
    (by the server), or note: then `data` is a sentence on what cannot be repeated.
    """

    at: float
    who: int
    does: str
    data: str | bytes | Closed | Refused = ""


def in_order(exchanges: Sequence[Exchange]) -> list[Step]:
    """The steps of all exchanges, by time."""
    every = [s for who, each in enumerate(exchanges) for s in steps_of(who, each)]
    every.sort(key=lambda step: step.at)
    gone = sum(each.left_out for each in exchanges)
    if not gone:
        return every
    # What came after frames that are gone cannot be repeated without them.
    full = [each for each in exchanges if each.left_out]
    last = min(each.frames[-1].at if each.frames else each.began for each in full)
    note = f"{gone} more frames are left out, and what came after them."
    return [*(s for s in every if s.at <= last), Step(last, 0, "note", note)]


# The closes that uvicorn makes by itself; they are not the app's, or not in time.
BY_UVICORN = r"1007 (.* at position \d+)?|1011 keepalive ping timeout|1012 "


def steps_of(who: int, exchange: Exchange) -> Iterator[Step]:
    """One exchange as steps."""
    end, frames = exchange.end, exchange.frames
    # The first frame may come with the answer to the handshake, and be noted before.
    began = min([exchange.began, *(frame.at for frame in frames[:1])]) - SLACK
    said = list(takewhile(lambda frame: frame.kind != "close", frames))
    ended = frames[len(said)].at if len(said) < len(frames) else exchange.ended
    if isinstance(end, Refused):
        yield Step(began, who, "refused", end)
    elif isinstance(end, Failed):
        note = f"{exchange.target.url} gave no answer: {end.sentence}"
        yield Step(began, who, "note", note)
    else:
        yield Step(began, who, "open")
        yield from messages(who, said)
    if not isinstance(end, Closed):
        return
    if end.by == "client" and end.code == 1006:
        last = said[-1].at if said else began
        yield Step(max(last, ended - SLACK), who, "cut", end)
    elif re.fullmatch(BY_UVICORN, f"{end.code} {end.reason}"):
        note = f"uvicorn itself, not the app, closed here: {end.code} {end.reason}"
        yield Step(ended, who, "note", note)
    else:
        yield Step(ended, who, "close" if end.by == "client" else "closed", end)


def messages(who: int, frames: Sequence[Frame]) -> Iterator[Step]:
    """Messages, put together from their frames, and the console's pings."""
    begun: dict[bool, list[Frame]] = {True: [], False: []}
    pongs = {f.data for f in frames if f.kind == "pong" and not f.sent}
    for at, sent, kind, data, final in frames:
        if kind == "ping" and sent and data in pongs:
            yield Step(at, who, "ping", data)
        elif kind == "ping" and sent:
            yield Step(at, who, "note", "A ping was sent here, and not answered.")
        elif kind in {"text", "binary", "continuation"}:
            begun[sent].append(Frame(at, sent, kind, data))
            if final:
                yield message(who, begun[sent])
                begun[sent].clear()
    for frame in begun[True][-1:]:
        yield Step(frame.at, who, "note", "A message was begun here, and not finished.")


def message(who: int, parts: Sequence[Frame]) -> Step:
    """A message; its time is that of its last frame."""
    at, does = parts[-1].at, "send" if parts[-1].sent else "receive"
    data = b"".join(part.data for part in parts)
    if parts[0].kind == "binary":
        return Step(at, who, does, data)
    try:
        return Step(at, who, does, data.decode())
    except UnicodeDecodeError:
        return Step(at, who, "note", "A text that is not UTF-8 is left out here.")
