"""The same room on `websockets`' own server, to compare with.

`websockets` sends with the library's `broadcast()`. `write` is the floor: the frame is
made once, and nothing is done for a delivery but the write. Nobody is asked whether
they can take it, so it is no way to send.
"""

import json
import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.frames import Frame, Opcode


def write(room: Iterable[ServerConnection], text: str) -> None:
    frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    for each in room:
        each.transport.write(frame)


async def start(nonce: str, compression: str | None, floor: bool = False) -> Any:
    """Serve at a port that the system picks."""
    send = write if floor else broadcast
    room: set[ServerConnection] = set()

    quiet = bool(os.environ.get("BENCHMARK_QUIET"))

    def tell(sender: str, message: str, exclude: ServerConnection) -> None:
        if quiet and sender == "system":
            return
        text = json.dumps({"sender": sender, "message": message}, ensure_ascii=False)
        send(room - {exclude}, text)

    async def chatroom(websocket: ServerConnection) -> None:
        assert websocket.request is not None
        name = unquote(websocket.request.path.rpartition("/")[2])
        room.add(websocket)
        tell("system", f"{name} joined the chat", websocket)
        try:
            async for text in websocket:
                tell(name, str(text), websocket)
                mine = {"sender": "You", "message": str(text)}
                await websocket.send(json.dumps(mine, ensure_ascii=False))
        finally:
            room.discard(websocket)
            tell("system", f"{name} left the chat", websocket)

    def sign(connection: Any, request: Any, response: Any) -> None:
        response.headers["X-Benchmark"] = nonce

    return await serve(
        chatroom, "127.0.0.1", 0, compression=compression, process_response=sign
    )
