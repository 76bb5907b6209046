"""What happened between a test and an app, and how it is told."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Lines of a transcript that are told.
MOST_LINES = 30
# Lines that repeat together, and how often they do so to be told in one line.
LONGEST_BLOCK = 4
OFTEN = 3


class Line(NamedTuple):
    """Something that happened.

    Attributes:
        at: when, by `time.monotonic()`.
        who: whose doing it was, such as "#1 client:".
        what: in words.
    """

    at: float
    who: str
    what: str


class Transcript(list[Line]):
    """All that happened, in its order, and of how many sessions so far."""

    sessions = 0

    def note(self, who: str, what: str) -> None:
        self.append(Line(time.monotonic(), who, what))

    def told(self, with_times: bool = False) -> list[str]:
        """The lines to show; what repeats is one of them, and of many the last."""
        lines = [
            (f"+{line.at - self[0].at:.2f} s  " if with_times else "") + text
            for line, text in folded(self)
        ]
        if (earlier := len(lines) - MOST_LINES) > 0:
            lines = [f"… {earlier} lines before", *lines[earlier:]]
        return lines


def folded(lines: Sequence[Line]) -> Iterator[tuple[Line, str]]:
    """Each line with its text; what repeats often enough is one line, or a few."""
    exact = [(line.who, line.what) for line in lines]
    # "0 of 1,000" and "1 of 1,000" are alike, too.
    alike = [(line.who, re.sub(r"\d[\d,.]*", "0", line.what)) for line in lines]
    at = 0
    while at < len(lines):
        if found := repeated(exact, at):
            length, times = found
            yield lines[at], f"{times:,} × {in_one(lines[at : at + length])}"
            at += length * times
        elif found := repeated(alike, at, OFTEN + 1):
            length, times = found
            last = at + length * (times - 1)
            for line in lines[at : at + length]:
                yield line, f"{line.who} {line.what}"
            between = f"   … {times - 2:,} × the same with other numbers, then …"
            yield lines[at + length], between
            for line in lines[last : last + length]:
                yield line, f"{line.who} {line.what}"
            at = last + length
        else:
            yield lines[at], f"{lines[at].who} {lines[at].what}"
            at += 1


def repeated(
    keys: list[tuple[str, str]], at: int, often: int = OFTEN
) -> tuple[int, int] | None:
    """How many lines from `at` on repeat together, and how often they stand there."""
    for length in range(1, LONGEST_BLOCK + 1):
        block, times = keys[at : at + length], 1
        while keys[at + length * times : at + length * (times + 1)] == block:
            times += 1
        if times >= often:
            return length, times
    return None


def in_one(block: Sequence[Line]) -> str:
    """Some lines as one."""
    return " → ".join(f"{line.who} {line.what}" for line in block)


def cut(value: str, most: int = 60) -> str:
    """A value of a header or a form, cut if it is long."""
    return value if len(value) <= most else f"{value[:most]}… ({len(value):,})"
