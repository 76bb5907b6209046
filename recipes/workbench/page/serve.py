"""Serve the page on this machine, until Ctrl-C."""

import contextlib
import socket
import sys
from collections.abc import Callable

import uvicorn

from recipes.workbench.page.app import create_app

# Bytes of one call of the page: an exercise of 1 MiB travels in it, and six bytes stand
# for a character where JSON has to escape it.
MOST_BYTES = 7 * 2**20


def bind(port: int) -> socket.socket:
    """A socket that will listen at 127.0.0.1:`port`; 0 lets the system pick.

    Raises OSError: the port is taken.
    """
    listener = socket.socket()
    if sys.platform == "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        # Or a port is taken for a minute after its server ended.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


def free_port(after: int) -> int:
    """The next port above `after` that is free; any free one if there is none."""
    for port in range(after + 1, min(after + 100, 65536)):
        with contextlib.suppress(OSError), bind(port):
            return port
    with bind(0) as listener:
        return int(listener.getsockname()[1])


class Server(uvicorn.Server):
    """Says when it serves."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()


def serve(
    listener: socket.socket, ready: Callable[[], None], allow_remote: bool = False
) -> None:
    """Serve the page until Ctrl-C, which ends what it started and is raised again.

    Args:
        listener: from `bind`.
        ready: called when a browser can open the page.
        allow_remote: whether consoles may connect to other machines.
    """
    config = uvicorn.Config(
        create_app(listener.getsockname()[1], allow_remote),
        log_level="warning",
        access_log=False,
        ws_max_size=MOST_BYTES,
        # A page that does not read must not hold up Ctrl-C.
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    Server(config, ready).run(sockets=[listener])
