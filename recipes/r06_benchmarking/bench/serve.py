"""The server of a measurement: a child process that ends with its parent.

Run by running.py: `python -m recipes.r06_benchmarking.bench.serve APP NONCE OPTIONS`.
It prints its port when it is ready. Each handshake is answered with the nonce, so that
the clients know that it is this server they talk to, and no other one at that port.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
from typing import Any

import uvicorn

from recipes.r06_benchmarking.bench import yardstick


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)


async def serve_yardstick(app: str, nonce: str, options: dict[str, Any]) -> None:
    floor = app == "write"
    # A frame that is made once is not compressed for each connection.
    compress = options.get("ws_per_message_deflate", True) and not floor
    server = await yardstick.start(nonce, "deflate" if compress else None, floor)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def end_with_parent() -> None:
    while os.read(0, 64):
        pass
    os._exit(0)


def main(app: str, nonce: str, options: str) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    chosen = json.loads(options)
    if app in {"websockets", "write"}:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve_yardstick(app, nonce, chosen))
    config = uvicorn.Config(
        app, "127.0.0.1", 0, headers=[("X-Benchmark", nonce)], **chosen
    )
    # The yardstick writes no log either.
    logging.getLogger("uvicorn").setLevel("WARNING")
    Server(config).run()


def loop_factory() -> Any:
    """The event loop that uvicorn would take, so that only the server differs."""
    return uvicorn.Config("").get_loop_factory()


if __name__ == "__main__":
    main(*sys.argv[1:])
