"""Each worker writes down who is with it, for a time, and does so again and again.

What is written is the whole list, not a change. So it is right after anything: a Redis
that forgot, one that was away while somebody left, a write that was lost. The worker's
key ends by itself if nobody renews it, by the clock of Redis, which is the same for
all. A worker renews its own key only, or the dead would live on.

Another way: a sorted set of connections, scored with the time of Redis (`TIME`, in a
script) at which each ends. It costs less to join where a worker has many thousands,
and more to renew. A hash with a counter for each name would not do: whose are the
counts that a killed worker has left behind?
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from fastapi import FastAPI, HTTPException, WebSocket
from redis.exceptions import RedisError

from recipes.r08_scale_out.chat import talk
from recipes.r08_scale_out.main import BROKER_TIMEOUT, HISTORY, SEND_TIMEOUT
from recipes.r08_scale_out.rules import Client, Since, Username
from recipes.r08_scale_out.streams import RedisBroker, connection

REDIS = os.environ.get("CHAT_BROKER") or "redis://127.0.0.1:6379/0"
PRESENCE_SECONDS = float(os.environ.get("PRESENCE_SECONDS") or 15)
# A Redis that forgot everything is told again this soon.
RENEW_SECONDS = 1.0

redis = connection(REDIS)
WORKERS = "{online}:workers"
worker = "{online}:" + uuid4().hex
here: Counter[str] = Counter()  # who is with this worker, and how often


async def write() -> None:
    """Tell Redis who is here, for PRESENCE_SECONDS."""
    await redis.sadd(WORKERS, worker)
    milliseconds = int(PRESENCE_SECONDS * 1000)
    await redis.set(worker, json.dumps(list(here)), px=milliseconds)


async def renew() -> None:
    while True:
        with suppress(RedisError):  # it is tried again, and `/online` says 503
            await write()
        await asyncio.sleep(min(RENEW_SECONDS, PRESENCE_SECONDS / 3))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.send_timeout = SEND_TIMEOUT
    async with RedisBroker(REDIS, HISTORY, BROKER_TIMEOUT) as app.state.broker:
        renewing = asyncio.create_task(renew())
        yield
        renewing.cancel()
        await asyncio.wait([renewing])
    await redis.aclose()


app = FastAPI(title="Exercise: who is there", lifespan=lifespan)


@app.websocket("/chatroom/{username}")
async def chatroom(
    websocket: WebSocket,
    username: Username,
    since: Since | None = None,
    client: Client | None = None,
) -> None:
    here[username] += 1
    try:
        with suppress(RedisError):  # the chat itself refuses with 503
            await write()
        await talk(websocket, username, since, client)
    finally:
        here[username] -= 1
        if not here[username]:
            del here[username]
        with suppress(RedisError):
            await write()


@app.get("/online")
async def online() -> dict[str, list[str]]:
    users: set[str] = set()
    try:
        for each in await redis.smembers(WORKERS):
            names = await redis.get(each)
            if names is None:  # it was killed
                await redis.srem(WORKERS, each)
            else:
                users.update(json.loads(names))
    except RedisError:
        raise HTTPException(503, "Who is there is not known now") from None
    return {"users": sorted(users)}
