"""How long the others wait for a client: not for each message, but in all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Patience:
    """Seconds that others may spend on waiting for one client.

    Several may wait for it at the same time: those seconds count once. A wait of less
    than a tenth of them all does not count, or a busy server would use them up.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = self.left = seconds
        self._deadline: float | None = None  # of all who wait now

    @asynccontextmanager
    async def bounds(self) -> AsyncIterator[None]:
        """Raises TimeoutError when the seconds are used up while the body waits."""
        now = asyncio.get_running_loop().time
        if self._deadline is None:
            self._deadline = now() + self.left
        deadline = self._deadline
        try:
            async with asyncio.timeout_at(deadline):
                yield
        finally:
            if self._deadline == deadline:  # else another has counted this wait
                self._deadline = None
                waited = self.left - (deadline - now())
                self.left -= waited if waited > self.seconds / 10 else 0
