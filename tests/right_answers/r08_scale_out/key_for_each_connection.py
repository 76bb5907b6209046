"""A key for each connection, found by SCAN; each handler renews its own."""

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from fastapi import FastAPI, Response, WebSocket
from redis.asyncio import Redis
from redis.exceptions import RedisError

from recipes.r08_scale_out import chat, main
from recipes.r08_scale_out.rules import Client, Since, Username
from recipes.r08_scale_out.streams import RedisBroker

REDIS = os.environ.get("CHAT_BROKER") or "redis://127.0.0.1:6379/0"
PRESENCE_SECONDS = float(os.environ.get("PRESENCE_SECONDS") or 15)
redis = Redis.from_url(
    REDIS, decode_responses=True, socket_timeout=1, max_connections=8
)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.send_timeout = main.SEND_TIMEOUT
    async with RedisBroker(REDIS, main.HISTORY, main.BROKER_TIMEOUT) as broker:
        app.state.broker = broker
        yield
    await redis.aclose()


app = FastAPI(lifespan=lifespan)


class There:
    def __init__(self, name: str) -> None:
        self.name, self.key = name, f"there:{uuid4()}"

    async def write(self) -> None:
        with suppress(RedisError, OSError):
            await redis.psetex(self.key, int(PRESENCE_SECONDS * 1000), self.name)

    async def again(self) -> None:
        while True:
            await asyncio.sleep(min(1, PRESENCE_SECONDS / 3))
            await self.write()

    async def __aenter__(self) -> None:
        await self.write()
        self.task = asyncio.create_task(self.again())

    async def __aexit__(self, *_) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        for _ in range(50):  # with Redis away it has to be tried again
            try:
                await redis.delete(self.key)
                return
            except (RedisError, OSError):
                await asyncio.sleep(0.2)


@app.websocket("/chatroom/{username}")
async def chatroom(
    websocket: WebSocket,
    username: Username,
    since: Since | None = None,
    client: Client | None = None,
) -> None:
    async with There(username):
        await chat.talk(websocket, username, since, client)


@app.get("/online")
async def online(response: Response):
    try:
        names = set()
        async for key in redis.scan_iter("there:*", count=1000):
            if name := await redis.get(key):
                names.add(name)
    except (RedisError, OSError):
        response.status_code = 503
        return {"detail": "Redis is away"}
    return {"users": sorted(names)}
