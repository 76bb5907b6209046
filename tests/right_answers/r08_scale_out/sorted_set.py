"""A sorted set of connections, each with an end by the clock of Redis."""

import asyncio
import os
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
NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + t[2] / 1000;"
RENEW = (
    NOW
    + """
for _, m in ipairs(ARGV) do redis.call("ZADD", KEYS[1], now + KEYS[2], m) end
"""
)
LIST = NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')"

redis = connection(REDIS)
mine: set[str] = set()


async def renew():
    if mine:
        await redis.eval(RENEW, 2, "who", str(int(PRESENCE_SECONDS * 1000)), *mine)


async def keep_renewing():
    while True:
        with suppress(RedisError):
            await renew()
        await asyncio.sleep(min(0.5, PRESENCE_SECONDS / 4))


@asynccontextmanager
async def lifespan(app):
    app.state.send_timeout = SEND_TIMEOUT
    async with RedisBroker(REDIS, HISTORY, BROKER_TIMEOUT) as app.state.broker:
        task = asyncio.create_task(keep_renewing())
        yield
        task.cancel()
    await redis.aclose()


app = FastAPI(lifespan=lifespan)


@app.websocket("/chatroom/{username}")
async def chatroom(
    websocket: WebSocket,
    username: Username,
    since: Since | None = None,
    client: Client | None = None,
):
    me = f"{uuid4().hex} {username}"
    mine.add(me)
    try:
        with suppress(RedisError):
            await renew()
        await talk(websocket, username, since, client)
    finally:
        mine.discard(me)
        with suppress(RedisError):  # its end comes by itself
            await redis.zrem("who", me)


@app.get("/online")
async def online():
    try:
        members = await redis.eval(LIST, 1, "who")
    except RedisError:
        raise HTTPException(503) from None
    return {"users": sorted({member.split(" ", 1)[1] for member in members})}
