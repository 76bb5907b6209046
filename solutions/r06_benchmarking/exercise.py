"""A queue for each client, so that nobody waits for a slow reader.

`put()` only appends; a task for each client does the waiting. The bound is what makes
it safe: without one, a client that does not read costs memory without end. What has
waited at an eviction is dropped, and nothing is left out before: the client sees a
beginning of what was said, then the end.

`close()` waits behind what the client has not read. Only this client's own task waits
there, and ends with the connection. Ctrl-C waits for it too; `main` cuts such a line.

Another way: a `deque` and an `asyncio.Event`; or a bound in bytes instead of texts, or
in seconds, as recipe 5 has it.
"""

import asyncio
import json
import logging
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException

from recipes.r06_benchmarking.rules import Username, printable, receive_text

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Exercise: an outbox for each client")


class Outbox:
    """What waits to be sent to one client.

    `evicted` says that the client did not keep up: it gets nothing more, and is closed
    with 1013 `Too slow`.
    """

    def __init__(self, websocket: WebSocket, limit: int = 100) -> None:
        self.websocket = websocket
        self.evicted = False
        self.waiting: asyncio.Queue[str] = asyncio.Queue(limit)

    def put(self, text: str) -> None:
        if self.evicted:
            return
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.evicted = True

    async def run(self) -> None:
        # RuntimeError: uvicorn itself has closed; the handler's receive says why.
        with suppress(WebSocketDisconnect, RuntimeError):
            while not self.evicted:
                await self.websocket.send_text(await self.waiting.get())
            await self.websocket.close(1013, "Too slow")


# Given: recipe 5's chat, which puts into outboxes and never waits for a client.
room: dict[WebSocket, Outbox] = {}


def broadcast(sender: str, message: str, exclude: WebSocket | None = None) -> None:
    text = json.dumps({"sender": sender, "message": message}, ensure_ascii=False)
    for websocket, outbox in room.items():
        if websocket is not exclude:
            outbox.put(text)


@app.websocket("/chatroom/{username}")
async def chatroom(websocket: WebSocket, username: Username) -> None:
    await websocket.accept()
    outbox = room[websocket] = Outbox(websocket)
    writing = asyncio.create_task(outbox.run())
    try:
        announce(f"{username} joined the chat", websocket)
        while True:
            text = await receive_text(websocket)
            logger.info("%s says: %s", username, printable(text))
            broadcast(username, text, websocket)
            outbox.put(json.dumps({"sender": "You", "message": text}))
    except WebSocketDisconnect:
        pass
    except WebSocketException as rule:
        with suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close(rule.code, rule.reason)
    finally:
        del room[websocket]
        writing.cancel()
        announce(f"{username} left the chat")


def announce(event: str, exclude: WebSocket | None = None) -> None:
    logger.info("%s", event)
    broadcast("system", event, exclude)
