"""The optimised chat: step 5, and batches for clients that ask for them."""

import asyncio
import json
from typing import NamedTuple

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.isolation import Isolating, Sending
from recipes.r06_benchmarking.manager import Message
from recipes.r06_benchmarking.raw_send import send_raw

BATCHES = "chat.batch.v1"  # the subprotocol: arrays of messages
BATCH_SECONDS = 0.01
LONGEST_BATCH = 256
# Characters of a batch: clients take 1 MiB for one message, if they are not told else.
LARGEST_BATCH = 256 * 1024


class Entry(NamedTuple):
    """A message of a batch: for one client, or for all but one."""

    text: str
    only: WebSocket | None
    exclude: WebSocket | None


class Batching(Isolating):
    def __init__(self) -> None:
        super().__init__()
        # Dicts, for their order: who is sent to at once, and who in batches.
        self.singles: dict[WebSocket, None] = {}
        self.batched: dict[WebSocket, None] = {}
        self.batch: list[Entry] = []
        self.size = 0
        self.timer: asyncio.TimerHandle | None = None

    async def connect(self, websocket: WebSocket) -> asyncio.Timeout:
        if BATCHES in websocket.scope["subprotocols"]:
            await websocket.accept(subprotocol=BATCHES)
            self.flush()  # what was said before is not for this one
            self.batched[websocket] = None
        else:
            await websocket.accept()
            self.singles[websocket] = None
        self.active_connections[websocket] = asyncio.timeout(None)
        return self.active_connections[websocket]

    def disconnect(self, websocket: WebSocket) -> None:
        if websocket in self.batched:
            self.flush()  # what was said to it until now
        self.singles.pop(websocket, None)
        self.batched.pop(websocket, None)
        super().disconnect(websocket)

    def send(self, websocket: WebSocket, text: str) -> Sending:
        return send_raw(websocket, text)

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        text = json.dumps(message, ensure_ascii=False)
        for each in list(self.singles):
            if each is not exclude:
                self.put(each, text)
        if self.batched:
            self.gather(Entry(text, None, exclude))

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        text = json.dumps(message, ensure_ascii=False)
        if websocket in self.batched:
            self.gather(Entry(text, websocket, None))
        elif websocket in self.singles:
            self.put(websocket, text)

    def gather(self, entry: Entry) -> None:
        if self.size + len(entry.text) > LARGEST_BATCH:
            self.flush()
        self.batch.append(entry)
        self.size += len(entry.text)
        if len(self.batch) == LONGEST_BATCH:
            self.flush()
        elif self.timer is None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(BATCH_SECONDS, self.flush)

    def flush(self) -> None:
        batch, self.batch, self.size = self.batch, [], 0
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        # Most clients get the same array. It is made once, and sent to all of them.
        special = {entry.only or entry.exclude for entry in batch}
        shared = array([entry.text for entry in batch if entry.only is None])
        for each in list(self.batched):
            text = shared if each not in special else own_array(batch, each)
            if text != "[]":
                self.put(each, text)


def own_array(batch: list[Entry], client: WebSocket) -> str:
    return array(
        [
            entry.text
            for entry in batch
            if (entry.only is None and entry.exclude is not client)
            or entry.only is client
        ]
    )


def array(texts: list[str]) -> str:
    return f"[{','.join(texts)}]"


app = create_app("The optimised chat", Batching())
