"""What the desks of all rooms share: calls of one page come in, its news goes out.

A call is a JSON object with the `token` of the run and what to `do`; the models of each
desk say what else belongs to it. News is a JSON object that says what it `tell`s. It is
not queued, but for answers: what has changed since the page was told last is worked out
when the page is ready to take it, so a slow page costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from recipes.workbench.refusal import Refusal
from recipes.workbench.tail import Piece, Tail

# Answers that the page has not taken yet.
MOST_ANSWERS = 200

Work = Coroutine[Any, Any, None]
Item = TypeVar("Item")


class Call(BaseModel):
    """What every call of the page holds."""

    model_config = ConfigDict(extra="forbid")
    token: str


class News:
    """What every piece of news holds; each kind is a dataclass."""

    tell: str


@dataclass
class Trouble(News):
    """What was asked for was not done: why; and on which console, about what field."""

    sentence: str
    console: int = 0
    about: str = ""
    tell: Literal["trouble"] = "trouble"


class Line:
    """From the desks of one page to its socket.

    Attributes:
        wake: set when something the page shows may have changed.
    """

    def __init__(self, spawn: Callable[[Work], object]) -> None:
        self.wake = asyncio.Event()
        self.spawn = spawn
        self._answers: deque[News] = deque(maxlen=MOST_ANSWERS)

    def tell(self, answer: News) -> None:
        """Tell the page something once."""
        self._answers.append(answer)
        self.wake.set()

    def complain(self, refusal: Refusal, console: int = 0) -> None:
        self.tell(Trouble(str(refusal), console, refusal.about))

    def in_background(self, work: Work, console: int = 0) -> None:
        """Do something that takes its time; a Refusal in it is told."""

        async def guarded() -> None:
            try:
                await work
            except Refusal as refusal:
                self.complain(refusal, console)

        self.spawn(guarded())

    def answers(self) -> Iterator[News]:
        """What waits to be told."""
        while self._answers:
            yield self._answers.popleft()


class Desk:
    """The side of a room that one page talks to.

    Each room's own has `take(call)`, which may raise Refusal.

    Attributes:
        recipe: the one that the page shows; empty for the contents.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.recipe = ""
        # What the page was told last, and how far it has read each log.
        self._told: dict[str, News] = {}
        self._read: dict[str, int] = {}

    def open(self, recipe: str) -> None:
        """The page shows another recipe, or the same one anew."""
        self.recipe = recipe
        self._told.clear()
        self._read.clear()

    def news(self) -> Iterator[News]:
        """What has changed since this was asked last."""
        raise NotImplementedError

    def if_new(self, what: str, news: News) -> Iterator[News]:
        """The news, unless that is what was told last of `what`."""
        if self._told.get(what) != news:
            self._told[what] = news
            yield news

    def unread(self, what: str, log: Tail[Item]) -> Piece[Item]:
        """What came to a log since it was read last."""
        piece = log.since(self._read.get(what, 0))
        self._read[what] = piece.seen
        return piece

    def forget(self, what: str) -> None:
        """It begins anew: all of it is news again."""
        self._told.pop(what, None)
        self._read.pop(what, None)
