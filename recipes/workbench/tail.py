"""The newest of a stream: bounded, and it says how many it left out."""

import threading
from collections import deque
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")


class Piece(NamedTuple, Generic[Item]):
    """What came since one looked last.

    Attributes:
        seen: where to go on, the argument of the next `since()`.
        left_out: how many had to be dropped before `items`.
        items: the others, oldest first.
    """

    seen: int
    left_out: int
    items: list[Item]


class Tail(Generic[Item]):
    """Keeps the last `most` items. Threads may add while others read."""

    def __init__(self, most: int) -> None:
        self._items: deque[Item] = deque(maxlen=most)
        self._total = 0
        self._lock = threading.Lock()

    def add(self, item: Item) -> None:
        """Add an item; the oldest goes if there is no room."""
        with self._lock:
            self._items.append(item)
            self._total += 1

    def since(self, seen: int) -> Piece[Item]:
        """The items after the first `seen` that were ever added."""
        with self._lock:
            new = self._total - seen
            kept = list(self._items)[-new:] if new else []
            return Piece(self._total, new - len(kept), kept)
