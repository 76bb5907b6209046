"""The same greeting as server-sent events: plain HTTP, and one way only."""

from collections.abc import AsyncIterable

from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

app = FastAPI(title="Server-sent events")


@app.get("/events", response_class=EventSourceResponse)
async def welcome() -> AsyncIterable[ServerSentEvent]:
    yield ServerSentEvent(raw_data="Welcome to the chat room!", id="1")
    yield ServerSentEvent(raw_data="Nobody can answer here.", id="2")
