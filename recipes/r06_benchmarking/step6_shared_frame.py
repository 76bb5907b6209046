"""Step 6: the frame is made once and written to every line, past the server's send."""

import asyncio

from fastapi import WebSocket
from starlette.types import Send
from websockets.frames import Frame, Opcode

from recipes.r06_benchmarking.beneath import Line, line_of, look_at_start
from recipes.r06_benchmarking.chat import create_app
from recipes.r06_benchmarking.manager import Message, encode
from recipes.r06_benchmarking.step5_raw_send import RawSend

Lines = dict[WebSocket, Line | None]


class SharedFrame(RawSend):
    """Step 5, which shares frames with those to whom they can be written now.

    Everybody else is sent the text as in step 5: who has compression, who has fallen
    behind, who is closing, and everybody on a server that is not the known one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = {}

    def meet(self, send: Send) -> None:
        look_at_start(send, shared_frame=True)

    async def connect(
        self, websocket: WebSocket, subprotocol: str | None = None
    ) -> asyncio.Timeout:
        let_go = await super().connect(websocket, subprotocol)
        self.lines[websocket] = line_of(websocket)
        return let_go

    def disconnect(self, websocket: WebSocket) -> None:
        self.lines.pop(websocket, None)
        super().disconnect(websocket)

    async def broadcast(
        self, message: Message, exclude: WebSocket | None = None
    ) -> None:
        self.share(encode(message), self.lines, exclude)

    def share(self, text: str, lines: Lines, exclude: WebSocket | None = None) -> None:
        """Send a text to many; who has a backlog gets it behind that."""
        # A server does not mask (RFC 6455 §5.1): the frame is the same for everybody.
        frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
        for each, line in list(lines.items()):
            if each is exclude or each not in self.active_connections:
                continue
            if line is None or each in self.backlogs or not line.write(frame):
                self.put(each, text)


app = create_app("Shared frame", SharedFrame())
