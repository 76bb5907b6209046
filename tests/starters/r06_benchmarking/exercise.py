"""Exercise: a queue for each client, so that nobody waits for a slow reader.

Run it:    uvicorn recipes.r06_benchmarking.exercise:app
Check it:  pytest --mine tests/test_r06_benchmarking.py
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
        self.limit = limit
        self.evicted = False

    def put(self, text: str) -> None:
        # TODO 1 (core): take the text without waiting. With `limit` texts waiting, set
        # `evicted` and take nothing more.
        pass

    async def run(self) -> None:
        # TODO 2 (core): send in order, until the client is evicted or its socket goes.
        # TODO 3 (core): who is evicted is closed with 1013 and the reason `Too slow`.
        await asyncio.Event().wait()


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
