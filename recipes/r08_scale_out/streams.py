"""The log as a Redis Stream, which all workers and machines share."""

import asyncio
import logging
import random
from contextlib import suppress
from typing import Any, Self

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from recipes.r08_scale_out.broker import KEY_SECONDS, Added, Broker, NotDelivered
from recipes.r08_scale_out.frames import Draft, Entry, order
from recipes.r08_scale_out.rules import printable

logger = logging.getLogger("uvicorn")

# One pair of braces: in a cluster, all of it is on one node.
LOG, COUNT, PROBE = "{chat}:log", "{chat}:count", "{chat}:probe"

# Looking up and adding is one step, whoever else is at it.
ADD = """
local before = redis.call('GET', KEYS[2])
if before then return {before, 1} end
local count = redis.call('INCR', KEYS[3])
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*',
    'count', count, unpack(ARGV, 3))
redis.call('SET', KEYS[2], id, 'EX', ARGV[2])
return {id, 0}
"""

# Seconds: for which a read waits for news, and in which Redis must answer anything.
BLOCK = 0.5
ANSWER = 1.0
LONGEST_PAUSE = 1.0  # between two attempts
PART = 100  # entries of one answer
TOKEN_SECONDS = 60  # for which a draft of ours is looked for, if it is added again

Found = tuple[str, dict[str, str]]


class RedisBroker(Broker):
    """A log in Redis. Two connections: one reads, on the other who adds takes turns."""

    def __init__(self, url: str, limit: int, timeout: float) -> None:
        super().__init__(limit, timeout)
        self._reader, self._writer = connection(url), connection(url)
        self._works = asyncio.Event()
        self._position = "0-0"  # what was read last
        self._reason = ""  # why delivery does not work, as it was logged
        self._tried = asyncio.Event()
        self._owed: asyncio.Queue[Draft] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._follow()),
            asyncio.create_task(self._pay()),
        ]
        # Who comes at once is not refused. Without a Redis this takes a moment.
        await self._tried.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._works.is_set():
            # The leaves of those who were here until now.
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER):
                    await self._owed.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for redis in (self._reader, self._writer):
            await redis.aclose()

    # Adding

    async def add(self, draft: Draft, since: float) -> Added:
        try:
            async with asyncio.timeout_at(since + self.timeout):
                return await self._add(draft)
        except TimeoutError:
            raise NotDelivered from None

    async def _add(self, draft: Draft) -> Added:
        """Try until it is confirmed. A second time does no harm: it has a token."""
        token, seconds = f"token:{draft.token}", TOKEN_SECONDS
        if draft.sender == "system":  # a leave may wait for the end of an outage
            seconds = int(KEY_SECONDS)
        if draft.key:
            # With the length: a client `a:b` is not the client `a` with a key `b:…`.
            token = f"key:{len(draft.client)}:{draft.client}:{draft.key}"
            seconds = int(KEY_SECONDS)
        keys = [LOG, f"{{chat}}:{token}", COUNT]
        fields = ["sender", draft.sender, "message", draft.message]
        fields += ["client", draft.client, "key", draft.key]
        values = [str(self.history.limit), str(seconds), *fields]
        while True:
            await self._works.wait()
            try:
                id, again = await self._writer.eval(ADD, len(keys), *keys, *values)
                return Added(id, bool(again))
            except (exceptions.RedisError, OSError) as error:
                self._interrupt(error)

    def owe(self, *drafts: Draft) -> None:
        for draft in drafts:
            self._owed.put_nowait(draft)

    async def _pay(self) -> None:
        while True:
            await self._add(await self._owed.get())
            self._owed.task_done()

    # Following

    async def _follow(self) -> None:
        """Read the log, for as long as this worker lives."""
        attempt = 0
        while True:
            try:
                await self._resume()
                attempt = 0
                while self._works.is_set():
                    await self._read(block=int(BLOCK * 1000))
            except Exception as error:  # one that dies in silence would end the chat
                self._interrupt(error)
            self._tried.set()
            # Full jitter: not all workers come back in the same moment.
            await asyncio.sleep(
                random.uniform(0, min(LONGEST_PAUSE, 0.05 * 2**attempt))
            )
            attempt = min(attempt + 1, 10)

    async def _resume(self) -> None:
        """Find out where the log goes on, and catch up."""
        # Reading is not enough: Redis may be full, or a copy that takes no writes.
        await self._writer.set(PROBE, "", px=1)
        if self.history.last is None:
            # One more than is kept: who saw that one has missed nothing.
            for id, fields in await self._newest(self.history.limit + 1):
                self._take(id, fields)
        else:
            await self._find_again()
        while await self._read(block=None):
            pass
        self._works.set()
        self._tried.set()
        if self.changes % 2:
            self.changes += 1
            self._reason = ""
            logger.info("Delivery is back")
            self.history.wake()

    async def _find_again(self) -> None:
        """After a break: the log goes on where we were, if it is still that log."""
        newest = await self._newest(1)
        if newest and order(newest[0][0]) >= order(self._position):
            return
        # Redis forgot everything, or what came last.
        self.history.forget()
        self._position = "0-0"
        if newest and self.history.number(newest[0][0]) is not None:
            self._position, self.history.last = newest[0][0], parsed(*newest[0])

    async def _newest(self, count: int) -> list[Found]:
        """The newest entries, oldest first; in parts, each of which comes in time."""
        found: list[Found] = []
        end = "+"
        while len(found) < count:
            part: Any = await self._reader.xrevrange(
                LOG, max=end, count=min(PART, count - len(found))
            )
            if not part:
                break
            found += part
            end = f"({part[-1][0]}"
        return found[::-1]

    async def _read(self, block: int | None) -> bool:
        """Take in what comes next; whether there was anything."""
        found: Any = await self._reader.xread({LOG: self._position}, PART, block)
        for _, entries in found:
            for id, fields in entries:
                self._take(id, fields)
        return bool(found)

    def _take(self, id: str, fields: dict[str, str]) -> None:
        self._position = id
        if entry := parsed(id, fields):
            self.history.append(entry)

    def _interrupt(self, error: Exception) -> None:
        """Delivery does not work: tell everybody once, and log each reason once."""
        self._works.clear()
        if not self.changes % 2:
            self.changes += 1
            self.history.wake()
        reason, details = reason_of(error)
        if reason != self._reason:
            self._reason = reason
            logger.warning("Delivery is interrupted: %s (%s)", reason, details)


def connection(url: str) -> Redis:
    """A client with one connection and no attempts of its own: we have ours."""
    return Redis.from_url(
        url,
        single_connection_client=True,
        decode_responses=True,
        protocol=2,
        socket_timeout=ANSWER,
        socket_connect_timeout=ANSWER,
        retry=Retry(NoBackoff(), 0),
    )


def parsed(id: str, fields: dict[str, str]) -> Entry | None:
    """An entry of the stream; None if somebody else wrote it."""
    try:
        sender, message = fields["sender"], fields["message"]
        draft = Draft(sender, message, fields["client"], fields["key"], token=id)
        return Entry(id, int(fields["count"]), draft)
    except (KeyError, ValueError):
        return None


def reason_of(error: Exception) -> tuple[str, str]:
    """Why delivery does not work, and the words for it; without the password."""
    details = printable(str(error))[:200]
    match error:
        case exceptions.AuthenticationError():
            return "Redis asks for a password, or for another one", details
        case exceptions.OutOfMemoryError():
            return "the memory of Redis is full", details
        case exceptions.ReadOnlyError():
            return "this Redis is a read-only replica", details
        case exceptions.ConnectionError() | exceptions.TimeoutError():
            return "no answer from Redis", details
        case _:
            return f"Redis answers with an error, {type(error).__name__}", details
