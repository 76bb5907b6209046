"""Tell all open sockets something: from an HTTP route, and from a thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, FastAPI, WebSocket, WebSocketDisconnect

listeners: set[WebSocket] = set()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.loop = asyncio.get_running_loop()  # for threads, which have none
    yield


app = FastAPI(title="Telling open sockets", lifespan=lifespan)


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    listeners.add(websocket)
    try:
        # Nothing is expected. But only who receives notices that the client has left.
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        listeners.discard(websocket)


async def tell_one(listener: WebSocket, text: str) -> bool:
    try:
        async with asyncio.timeout(1):  # one that does not read: nobody waits longer
            await listener.send_text(text)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):  # it is leaving
        listeners.discard(listener)
        return False
    return True


async def tell(text: str) -> int:
    """Send to all side by side, and say to how many it went out."""
    return sum(await asyncio.gather(*(tell_one(each, text) for each in listeners)))


@app.post("/tell")
async def from_a_route(text: Annotated[str, Body(embed=True)]) -> dict[str, int]:
    return {"told": await tell(text)}


@app.post("/tell-from-a-thread")
def from_a_thread(text: Annotated[str, Body(embed=True)]) -> dict[str, int]:
    # A `def` route runs in a thread, as a library's callback may. Sockets belong to the
    # event loop: hand the coroutine over to it, and wait here for what it gives.
    telling = asyncio.run_coroutine_threadsafe(tell(text), app.state.loop)
    return {"told": telling.result(timeout=5)}
