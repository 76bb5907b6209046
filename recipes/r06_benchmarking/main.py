"""The optimised chat: step 6, and batches for clients that ask for them."""

import asyncio
from typing import NamedTuple

from fastapi import WebSocket

from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Message, encode
from recipes.r06_benchmarking.step6_shared_frame import Lines, SharedFrame

BATCHES = "chat.batch.v1"  # the subprotocol: arrays of messages
BATCH_SECONDS = 0.01
LONGEST_BATCH = 256
# Bytes of UTF-8. A client takes 1 MiB for one message, if it is not told else. One
# message that is larger is a batch of its own.
LARGEST_BATCH = 256 * 1024


class Entry(NamedTuple):
    """A message of a batch: for one client, or for all but one."""

    text: str
    only: WebSocket | None = None
    exclude: WebSocket | None = None

    def is_for(self, client: WebSocket) -> bool:
        if self.only is not None:
            return self.only is client
        return self.exclude is not client


class Batching(SharedFrame):
    """Who asked for batches is in `batched`, everybody else in `lines`."""

    def __init__(self) -> None:
        super().__init__()
        self.batched: Lines = {}
        self.batch: list[Entry] = []
        self.size = 0
        self.timer: asyncio.TimerHandle | None = None

    async def connect(
        self, websocket: WebSocket, subprotocol: str | None = None
    ) -> asyncio.Timeout:
        batched = BATCHES in websocket.scope["subprotocols"]
        let_go = await super().connect(websocket, BATCHES if batched else None)
        if batched:
            self.flush()  # what was said before is not for this one
            self.batched[websocket] = self.lines.pop(websocket)
        return let_go

    def disconnect(self, websocket: WebSocket) -> None:
        if websocket in self.batched and websocket not in self.evicted:
            self.flush()  # what was said to it until now
        self.batched.pop(websocket, None)
        super().disconnect(websocket)

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        text = encode(message)
        self.share(text, self.lines, exclude)
        if self.batched:
            self.gather(Entry(text, exclude=exclude))

    async def send_personal_message(
        self, message: Message, websocket: WebSocket
    ) -> None:
        if websocket in self.batched:
            self.gather(Entry(encode(message), only=websocket))
        else:
            self.put(websocket, encode(message))

    def gather(self, entry: Entry) -> None:
        size = len(entry.text.encode()) + 1  # and a comma or bracket
        if self.size + size >= LARGEST_BATCH:
            self.flush()
        self.batch.append(entry)
        self.size += size
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
        # Most clients get the same array. It is made once, and shared as one frame.
        special = {entry.only or entry.exclude for entry in batch}
        own = {each for each in self.batched if each in special}
        common = {each: self.batched[each] for each in self.batched if each not in own}
        if shared := [entry.text for entry in batch if entry.only is None]:
            self.share(array(shared), common)
        for each in own:
            if texts := [entry.text for entry in batch if entry.is_for(each)]:
                self.put(each, array(texts))


def array(texts: list[str]) -> str:
    return f"[{','.join(texts)}]"


app = create_app("The optimised chat", Batching())
