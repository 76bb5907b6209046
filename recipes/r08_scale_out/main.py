"""A chat in one room, carried by a log that many workers and machines can share."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from recipes.r08_scale_out import chat
from recipes.r08_scale_out.broker import Broker, MemoryBroker
from recipes.r08_scale_out.checks import check_url
from recipes.r08_scale_out.streams import RedisBroker

# Where the log is: empty for this process's memory, or redis://:password@host:port/db.
CHAT_BROKER = check_url(os.environ.get("CHAT_BROKER") or "")
# Entries that are kept for who comes back.
HISTORY = int(os.environ.get("HISTORY") or 1000)
# Seconds in which the broker must confirm what is said.
BROKER_TIMEOUT = float(os.environ.get("BROKER_TIMEOUT") or 2)
# Seconds that a client may take for one message before it is let go.
SEND_TIMEOUT = float(os.environ.get("SEND_TIMEOUT") or 5)


def create_broker() -> Broker:
    if CHAT_BROKER:
        return RedisBroker(CHAT_BROKER, HISTORY, BROKER_TIMEOUT)
    return MemoryBroker(HISTORY, BROKER_TIMEOUT)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with create_broker() as app.state.broker:
        app.state.send_timeout = SEND_TIMEOUT
        yield


app = FastAPI(title="One chat, many processes and machines", lifespan=lifespan)
# Mounted in another app, this one has no lifespan; in memory it works all the same.
app.state.broker, app.state.send_timeout = create_broker(), SEND_TIMEOUT
app.include_router(chat.router)
app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
