"""Exercise: who is there, on all workers.

Run it:    uvicorn recipes.r08_scale_out.exercise:app
Check it:  pytest --mine tests/test_r08_scale_out.py
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket

from recipes.r08_scale_out.chat import talk
from recipes.r08_scale_out.main import BROKER_TIMEOUT, HISTORY, SEND_TIMEOUT
from recipes.r08_scale_out.rules import Client, Since, Username
from recipes.r08_scale_out.streams import RedisBroker, connection

# This exercise needs a Redis, here or where CHAT_BROKER says.
REDIS = os.environ.get("CHAT_BROKER") or "redis://127.0.0.1:6379/0"
# Seconds after which those of a worker that was killed are forgotten.
PRESENCE_SECONDS = float(os.environ.get("PRESENCE_SECONDS") or 15)

# A client of that Redis, redis.asyncio.Redis: it connects when it is used, and gives
# every command a second. Those who use it take turns.
redis = connection(REDIS)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.send_timeout = SEND_TIMEOUT
    async with RedisBroker(REDIS, HISTORY, BROKER_TIMEOUT) as app.state.broker:
        # TODO 3 (core): who is killed cannot tidy up. So what is in Redis must end by
        # itself, and this worker must renew what is its own.
        yield
    await redis.aclose()


app = FastAPI(title="Exercise: who is there", lifespan=lifespan)


@app.websocket("/chatroom/{username}")
async def chatroom(
    websocket: WebSocket,
    username: Username,
    since: Since | None = None,
    client: Client | None = None,
) -> None:
    # TODO 2 (core): from here on username is there, and afterwards no longer. Somebody
    # may be there twice, and leave once.
    await talk(websocket, username, since, client)  # given: the chat


@app.get("/online")
async def online() -> dict[str, list[str]]:
    # TODO 1 (core): {"users": [the names on all workers, sorted, each once]}.
    # TODO 4 (more): HTTP 503 while Redis is away. After a Redis that forgot everything
    # the list is right again within 4 s.
    return {"users": []}
