"""A hash for each worker, and a heartbeat key beside it; FastAPI's own Depends."""

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from typing import Annotated
from uuid import uuid4

import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from redis import RedisError

from recipes.r08_scale_out.chat import talk
from recipes.r08_scale_out.main import BROKER_TIMEOUT, HISTORY, SEND_TIMEOUT
from recipes.r08_scale_out.rules import Client, Since, Username
from recipes.r08_scale_out.streams import RedisBroker

URL = os.environ.get("CHAT_BROKER") or "redis://127.0.0.1:6379/0"
PRESENCE_SECONDS = float(os.environ.get("PRESENCE_SECONDS") or 15)
ME = str(uuid4())


class Presence:
    def __init__(self):
        self.redis = redis.asyncio.from_url(
            URL, decode_responses=True, socket_timeout=1, socket_connect_timeout=1
        )
        self.counts = {}
        self.turn = asyncio.Lock()

    async def save(self):
        async with self.turn, self.redis.pipeline(transaction=True) as pipe:
            pipe.hset("workers", ME, "\n".join(self.counts))
            pipe.set(f"alive:{ME}", "", px=int(PRESENCE_SECONDS * 1000))
            await pipe.execute()

    async def try_to_save(self):
        with suppress(RedisError, OSError):
            await self.save()

    async def beat(self):
        while True:
            await self.try_to_save()
            await asyncio.sleep(min(0.7, PRESENCE_SECONDS / 3))

    async def users(self):
        found = set()
        for worker, names in (await self.redis.hgetall("workers")).items():
            if await self.redis.exists(f"alive:{worker}"):
                found |= set(filter(None, names.split("\n")))
        return found


presence = Presence()


@asynccontextmanager
async def lifespan(app):
    async with RedisBroker(URL, HISTORY, BROKER_TIMEOUT) as broker:
        app.state.broker, app.state.send_timeout = broker, SEND_TIMEOUT
        beat = asyncio.create_task(presence.beat())
        yield
        beat.cancel()


app = FastAPI(lifespan=lifespan)


async def there(username: Username):
    presence.counts[username] = presence.counts.get(username, 0) + 1
    await presence.try_to_save()
    yield username
    presence.counts[username] -= 1
    if presence.counts[username] == 0:
        presence.counts.pop(username)
    await presence.try_to_save()


@app.websocket("/chatroom/{username}")
async def chatroom(
    websocket: WebSocket,
    name: Annotated[str, Depends(there)],
    since: Since | None = None,
    client: Client | None = None,
):
    await talk(websocket, name, since, client)


@app.get("/online")
async def online():
    try:
        return {"users": sorted(await presence.users())}
    except (RedisError, OSError) as error:
        raise HTTPException(503) from error
