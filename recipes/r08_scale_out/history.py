"""The newest entries of the log, as this worker knows them; its sockets read here."""

import asyncio

from recipes.r08_scale_out.frames import Entry

# What is kept beyond `limit` for sockets that are behind: so many, of so many bytes.
MOST_ENTRIES = 10_000
MOST_BYTES = 64 * 2**20


class History:
    """Entries by their number here, from 0, in the order of the log.

    `limit` entries are kept for who comes back. A number without an entry, below
    `next`, stands for something that was said and is not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = max(1, limit)
        self.next = 0
        # Set, and replaced by a new one, with every change.
        self.news = asyncio.Event()
        self.last: Entry | None = None
        self._entries: dict[int, Entry] = {}
        self._numbers: dict[str, int] = {}
        self._first = 0  # the oldest number in memory
        self._began = 0  # since here the log is whole
        self._bytes = 0

    def append(self, entry: Entry) -> None:
        """Add what comes next in the log, and notice when something is missing."""
        if self.last is not None and entry.count != self.last.count + 1:
            if entry.count != 1:
                self.next += 1  # a hole: something was said that nobody here heard
            self.forget()
        self.last = entry
        self._entries[self.next] = entry
        self._numbers[entry.id] = self.next
        self._bytes += len(entry.draft.message)
        self.next += 1
        while self._too_much():
            self._drop()
        self.wake()

    def forget(self) -> None:
        """Take what came until now as no longer in the log."""
        self._began = self.next

    def wake(self) -> None:
        """Have everyone look who waits for news."""
        news, self.news = self.news, asyncio.Event()
        news.set()

    def get(self, number: int) -> Entry | None:
        return self._entries.get(number)

    def number(self, id: str) -> int | None:
        return self._numbers.get(id)

    def after(self, id: str) -> int | None:
        """The number of what follows `id`. None if not all of that is kept."""
        number = self._numbers.get(id)
        if number is None or number < self._began or number + 1 < self.oldest:
            return None
        return number + 1

    @property
    def oldest(self) -> int:
        """The number of the oldest entry that is kept for who comes back."""
        return max(self._began, self.next - self.limit, self._first)

    def skip(self, number: int) -> int:
        """The next number that has an entry, or will have."""
        number = max(number, self._first)
        while number < self.next and number not in self._entries:
            number += 1
        return number

    def _too_much(self) -> bool:
        size = self.next - self._first
        # One more than the limit: who saw that one has missed nothing.
        return size > self.limit + 1 and (
            size > MOST_ENTRIES or self._bytes > MOST_BYTES
        )

    def _drop(self) -> None:
        entry = self._entries.pop(self._first, None)
        self._first += 1
        if entry is not None:
            self._bytes -= len(entry.draft.message)
            # A log that began anew may have given the same id again.
            if self._numbers.get(entry.id) == self._first - 1:
                del self._numbers[entry.id]
