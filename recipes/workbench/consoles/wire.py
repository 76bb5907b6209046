"""The client of `websockets`, made to tell each frame as it goes over the wire."""

import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from recipes.workbench.consoles.exchange import Frame

# Seconds for the server to answer a close, and to end the line after it.
CLOSE_TIMEOUT = 5.0

KINDS = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.CONT: "continuation",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}


class Recorder(ClientConnection):
    """A connection that tells each frame it receives, control frames too."""

    told: Callable[[Frame], None]
    is_ending = False

    def process_event(self, event: Any) -> None:
        if isinstance(event, WireFrame):
            kind = KINDS[event.opcode]
            data = bytes(event.data)
            self.told(Frame(time.monotonic(), False, kind, data, event.fin))
            if event.opcode is Opcode.PING:
                # websockets answers by itself, as RFC 6455 §5.5.3 wants it.
                self.told(Frame(time.monotonic(), True, "pong", data))
        super().process_event(event)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.close_expected() and not self.is_ending:
            # A server that has closed, or broken the protocol, may keep the line up.
            self.is_ending = True
            self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)


class connect_once(connect):
    """`connect`, that does not follow a redirect: it might lead to another machine."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc
