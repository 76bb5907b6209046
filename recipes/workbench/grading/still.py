"""Notices when the machine stood still: a short sleep that took much longer."""

import threading
import time
from typing import Self

NAP = 0.05
# Seconds too late from which on a machine stood still, and times may have run out.
TOO_LATE = 0.5


class Clock:
    """A thread that naps, and remembers when it woke up too late; use with `with`."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._over.wait(NAP):
            now = time.monotonic()
            if now - before > NAP + TOO_LATE:
                self._late.append(now)
            before = now

    def stood_still(self, since: float) -> bool:
        """Whether the machine did since then, in `time.monotonic()`."""
        return any(moment > since for moment in self._late)
