"""Beneath ASGI: the objects with which uvicorn holds a connection.

ASGI has no call to cut a line, and none to send one frame to many. uvicorn's objects
can do both, and are reached since its `send` is a method of them. Nobody promises that:
it holds for the version that is pinned. So whoever leans on it asks here, and is told
None where it does not hold, which the log says once.
"""

import functools
import logging
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

from fastapi import WebSocket
from starlette.types import Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

logger = logging.getLogger("uvicorn")

NO_RESET = (
    "The server's connections are out of reach (another server, --log-level trace, or "
    "a middleware that wraps `send`): a client that never reads is let go, but its "
    "line is not cut. Bound the stop with --timeout-graceful-shutdown."
)
NO_SHARED_FRAME = (
    "Frames are not shared: this is not the server that it is known for "
    "(uvicorn with --ws auto or websockets-sansio). Each message is sent the plain way."
)


@functools.cache
def say_once(sentence: str) -> None:
    """Warn in the log, the first time."""
    logger.warning(sentence)


def look_at_start(send: Send, shared_frame: bool = False) -> None:
    """Say at start what will not work here, as far as the lifespan's `send` shows."""
    config = getattr(getattr(send, "__self__", None), "config", None)
    if config is None:
        say_once(NO_RESET)
    if shared_frame and (
        getattr(config, "ws_protocol_class", None) is not WebSocketsSansIOProtocol
    ):
        say_once(NO_SHARED_FRAME)


def connection_of(websocket: WebSocket) -> Any | None:
    """The server's object for a client's connection; None if it is out of reach."""
    found = getattr(websocket.scope.get("server_send"), "__self__", None)
    if getattr(found, "transport", None) is None:
        say_once(NO_RESET)
        return None
    return found


def reset(websocket: WebSocket) -> bool:
    """End a client's connection, if it is still there, with a TCP reset.

    `close()` waits behind what the client does not read, and so does the end of the
    handler. Returns whether the connection was within reach.
    """
    connection = connection_of(websocket)
    if connection is None:
        return False
    # To close is then to reset, and to drop what is unsent, also in the kernel.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    with suppress(OSError, ValueError, AttributeError):  # closed already
        tcp = connection.transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.transport.abort()
    return True


class Line:
    """A client's connection as something that whole frames can be written to."""

    def __init__(self, connection: WebSocketsSansIOProtocol) -> None:
        self.connection, self.transport = connection, connection.transport

    def write(self, frame: bytes) -> bool:
        """Write a frame if the server would write one now; False if it would not.

        It would not to a client whose buffer is full, nor after either side's close.
        """
        connection, transport = self.connection, self.transport
        if (
            not connection.writable.is_set()
            or connection.conn.state is not OPEN
            or transport.is_closing()
        ):
            return False
        transport.write(frame)
        return True


def line_of(websocket: WebSocket) -> Line | None:
    """A client's line; None if frames for it cannot be shared.

    They cannot where the client and uvicorn agreed on compression: each connection then
    compresses with what it has sent before.
    """
    connection = connection_of(websocket)
    if type(connection) is not WebSocketsSansIOProtocol:
        say_once(NO_SHARED_FRAME)
        return None
    return None if connection.conn.extensions else Line(connection)
