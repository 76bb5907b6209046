"""What carries the chat: a log that everybody follows. Here in memory."""

import asyncio
import time
from types import TracebackType
from typing import NamedTuple, Self

from recipes.r08_scale_out.frames import Draft, Entry, order
from recipes.r08_scale_out.history import History

KEY_SECONDS = 600.0  # in which a key means the same message


class NotDelivered(Exception):
    """The broker has not confirmed it in time. It may have it all the same."""


class Added(NamedTuple):
    """Where in the log a draft is; `again` says that it was there already."""

    id: str
    again: bool


class Broker:
    """A log, and whether it can be reached. To be used with `async with`.

    `changes` counts how often delivery was interrupted or came back: odd means that it
    is interrupted now.
    """

    def __init__(self, limit: int, timeout: float) -> None:
        self.history = History(limit)
        self.timeout = timeout
        self.changes = 0

    async def add(self, draft: Draft, since: float) -> Added:
        """Add to the log, once.

        Raises NotDelivered if it is not confirmed `timeout` seconds after `since`, a
        time of the event loop.
        """
        raise NotImplementedError

    def owe(self, *drafts: Draft) -> None:
        """Add when it can be done; nobody waits for it."""
        raise NotImplementedError

    async def enter(self, join: Draft, leave: Draft) -> int:
        """Add a join and wait until it is known here; its number in the history.

        Then all that came before is known here, too. Raises NotDelivered, and sees to
        it that a join which did get into the log is followed by the leave.
        """
        if self.changes % 2:
            raise NotDelivered
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + self.timeout):
                added = await self.add(join, now)
                while (number := self.history.number(added.id)) is None:
                    await self.history.news.wait()
                return number
        except (NotDelivered, TimeoutError):
            self.owe(join, leave)
            raise NotDelivered from None

    def comes_from(self, number: int, id: str) -> bool:
        """Whether who follows from `number` on gets the entry `id`."""
        known = self.history.number(id)
        if known is not None:
            return known >= number
        last = self.history.last
        return last is None or order(id) > order(last.id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class MemoryBroker(Broker):
    """A log for the sockets of this process."""

    def __init__(self, limit: int, timeout: float) -> None:
        super().__init__(limit, timeout)
        self._sent: dict[tuple[str, str], tuple[float, str]] = {}  # oldest first
        self._last = (0, 0)

    async def add(self, draft: Draft, since: float) -> Added:
        return self._put(draft)

    def owe(self, *drafts: Draft) -> None:
        for draft in drafts:
            self._put(draft)

    def _put(self, draft: Draft) -> Added:
        now = time.monotonic()
        while self._sent and (oldest := next(iter(self._sent.items())))[1][0] < now:
            del self._sent[oldest[0]]
        key = (draft.client, draft.key)
        if draft.key and key in self._sent:
            return Added(self._sent[key][1], again=True)
        # As Redis does it: the clock's milliseconds, and never back.
        milliseconds, n = self._last
        self._last = max((time.time_ns() // 1_000_000, 0), (milliseconds, n + 1))
        entry = Entry("{}-{}".format(*self._last), self.history.next + 1, draft)
        self.history.append(entry)
        if draft.key:
            self._sent[key] = now + KEY_SECONDS, entry.id
        return Added(entry.id, again=False)
