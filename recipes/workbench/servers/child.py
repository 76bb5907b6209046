"""The child's side: serve one app with uvicorn and report what happens.

Run as `python -m recipes.workbench.servers.child MODULE [FILE [PORT]]` by `server.py`,
which may hand it a socket that listens already, and limits to set.
Reports are lines of JSON on the standard output that the child was started with:

    {"event": "routes", "routes": [["websocket", "/ws"], ["page", "/chatroom/{name}"]]}
    {"event": "ready", "port": 41234, "hooked": false}   hooked: the app has a handler
                                        of its own for SIGTERM
    {"event": "failed", "kind": "SyntaxError", "message": ..., "line": 12}
    {"event": "log", "level": "INFO", "message": "Message received: hi"}
    {"event": "crash", "kind": "KeyError", "message": "'text'", "line": 12, ...}
    {"event": "begin", "peer": 50123}   a handler was called for the client's port
    {"event": "end", "peer": 50123, "how": "returned"}     and its task is over, after
                                        what it logged; or it "raised"
    {"event": "where", "busy": null, "handlers": [{"path": "/ws", "line": 12, ...}]}
    {"event": "stood", "seconds": 1.02, "line": 12, "source": "time.sleep(1)"}

The parent writes `stop` on standard input to shut the server down as Ctrl-C would,
`term` to have it get a SIGTERM, and `where` to be told on which lines of the app the
handlers wait, and which one is busy.
When that pipe closes, the child ends at once: nothing outlives whoever started it.
"""

import asyncio
import importlib.util
import json
import linecache
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from recipes.workbench import catalog
from recipes.workbench.servers.limits import set_limits
from recipes.workbench.servers.looking import (
    Handler,
    Place,
    busy_at,
    source_of,
    waiting_at,
    watch_loop,
)
from recipes.workbench.servers.relay import relay

# A message of the app's log may be of any length; a report of it is not.
LONGEST = 4_000
# What is told of an app's routes.
MOST_ROUTES = 100
LONGEST_PATH = 300
# Of handlers, and of stand-stills of the event loop.
MOST_HANDLERS = 100
MOST_STOOD = 20
# Seconds that others have before a handshake is accepted.
TURN = 0.002

Report = dict[str, Any]

# The frames of a traceback that only lead to the app.
NOT_THE_APPS = {__file__, catalog.__file__, importlib.__file__}


class Reporter:
    """Writes reports, one line each, to a descriptor that the app does not know."""

    def __init__(self) -> None:
        # What the app prints goes to standard error, so it cannot mix with reports.
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def __call__(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event} | values).encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._out, line) :]


def own_line(trace: TracebackType | None, file: str) -> int | None:
    """The last line of `file` that the traceback passes, if it passes it."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(trace)
        if os.path.realpath(frame.filename) == os.path.realpath(file)
    ]
    return lines[-1] if lines else None


def describe(error: BaseException, file: str) -> Report:
    """An exception as a report: its class, its text and where in `file` it arose."""
    kind, line = type(error).__name__, own_line(error.__traceback__, file)
    if isinstance(error, SyntaxError) and os.path.isfile(error.filename or ""):
        line = error.lineno
        if not os.path.samefile(str(error.filename), file or os.devnull):
            kind += f" in {os.path.basename(str(error.filename))}"
    try:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        if isinstance(error, WebSocketDisconnect):
            message = f"code {error.code}" + (f", {error.reason}" * bool(error.reason))
    except Exception:  # an exception of the app's own may fail at this, too
        message = "(its text cannot be had)"
    return {
        "kind": kind,
        "message": message[:LONGEST],
        "line": line,
        "source": source_of(file, line),
        "traceback": "".join(traceback.format_exception(error))[-LONGEST:],
    }


def file_of(name: str) -> str:
    """The file of a module that could not be loaded; empty if there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ""
    return spec.origin or "" if spec else ""


def leads_there(file: str) -> bool:
    return file in NOT_THE_APPS or file.startswith("<frozen importlib")


def print_from_the_app(error: BaseException) -> None:
    """The traceback of a failed import, without the frames that lead to the app."""
    trace = error.__traceback__
    while trace is not None and leads_there(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    # A syntax error has no frame of its own: it tells its line itself.
    traceback.print_exception(error.with_traceback(trace))


def routes_of(app: object) -> list[tuple[str, str]]:
    """The app's sockets, and its pages: what a browser can open with a GET."""
    if not isinstance(app, Starlette):
        return []  # any callable can be an app of ASGI
    found = []
    for route in iter_route_contexts(app.routes):
        path = (route.path or "")[:LONGEST_PATH]
        if isinstance(route.original_route, WebSocketRoute):
            found.append(("websocket", path))
        elif isinstance(route.original_route, APIRoute) and "GET" in (
            route.methods or ()
        ):
            found.append(("page", path))
    return found[:MOST_ROUTES]


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, or the one itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


class Watch(logging.Handler):
    """Reports the records of the logger `uvicorn`, and every logged exception."""

    def __init__(self, report: Reporter, file: str) -> None:
        super().__init__()
        self.report, self.file = report, file

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if record.name == "uvicorn":
            self.report("log", level=record.levelname, message=message[:LONGEST])
        # uvicorn's own tracebacks, which no handler can prevent: for a client's
        # invalid UTF-8, and for a handler cancelled at shutdown.
        if error is None or message.startswith("Invalid UTF-8 sequence"):
            return
        for leaf in leaves(error):
            if not isinstance(leaf, asyncio.CancelledError):
                self.report("crash", **describe(leaf, self.file))


class Server(uvicorn.Server):
    """A uvicorn server that reports the port it got."""

    def __init__(self, config: uvicorn.Config, handlers: "Handlers") -> None:
        super().__init__(config)
        self.handlers = handlers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.handlers.watch(asyncio.get_running_loop())
            port = self.servers[0].sockets[0].getsockname()[1]
            hooked = signal.getsignal(signal.SIGTERM) != self.handle_exit
            self.handlers.report("ready", port=port, hooked=hooked)


def taking_its_turn(send: Send) -> Send:
    """The same, but others have their turn before a handshake is accepted.

    ASGI lets a server do that at any `await`. uvicorn by chance does not at this one,
    so that an app which looks before and takes after it would seem to be right.
    """

    async def wrapper(message: Message) -> None:
        if message["type"] == "websocket.accept":
            await asyncio.sleep(TURN)
        await send(message)

    # Who looks for the server behind it, as recipe 6 does, finds it.
    wrapper.__dict__["__self__"] = getattr(send, "__self__", None)
    return wrapper


class Handlers:
    """The handlers of an app that run, and what is told of them.

    Args:
        report: tells it.
        file: the app's file.
        judged: whether it is somebody's answer, and not an app of the workbook.
    """

    def __init__(self, report: Reporter, file: str, judged: bool) -> None:
        self.report, self.file, self.judged = report, file, judged
        self.running: dict[int, Handler] = {}
        self._serves = threading.Event()
        self._stood = 0
        linecache.getlines(file)  # as it is now: it may be saved while this runs

    def watched(self, app: ASGIApp) -> ASGIApp:
        """The same app, reporting when a handler of a socket begins and is over."""

        async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in {"websocket", "http"}:
                await app(scope, receive, send)
                return
            task = asyncio.current_task()
            assert task is not None
            # Nobody there: a client that cut the line before we looked.
            peer = (scope["client"] or ("", 0))[1]
            handler = Handler(scope["type"], scope["path"], peer, task)
            self.running[id(handler)] = handler
            self._serves.set()
            how = "raised"

            def over(_: object) -> None:
                if handler.kind == "websocket":
                    self.report("end", peer=peer, how=how)

            if handler.kind == "websocket":
                self.report("begin", peer=peer)
                # From the task's callback: by then uvicorn has logged a crash.
                task.add_done_callback(over)
            try:
                judged = self.judged and handler.kind == "websocket"
                await app(scope, receive, taking_its_turn(send) if judged else send)
                how = "returned"
            finally:
                del self.running[id(handler)]
                if not self.running:
                    self._serves.clear()

        return wrapper

    def where(self) -> None:
        """Report on which lines the handlers wait. From any thread."""
        waiting = [
            {"kind": handler.kind, "path": handler.path, "peer": handler.peer}
            | (place._asdict() if place else {"line": None, "source": ""})
            for handler in list(self.running.values())[:MOST_HANDLERS]
            for place in [waiting_at(handler.task, self.file)]
        ]
        self.report("where", handlers=waiting, busy=busy_at(self.file))

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Report from now on how long an answer holds its event loop."""
        if self.judged:
            arguments = (loop, self.file, self._serves, self._stands)
            threading.Thread(target=watch_loop, args=arguments, daemon=True).start()

    def _stands(self, seconds: float, place: Place) -> None:
        self._stood += 1
        if self._stood <= MOST_STOOD:
            self.report("stood", seconds=round(seconds, 2), **place._asdict())


def die() -> None:
    """End this process now, and what the app started with it."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def obey(server: list[Server]) -> None:
    """Read orders from the parent until its end of the pipe closes."""
    # os.read, since a daemon thread inside sys.stdin.buffer aborts the exit.
    while order := os.read(0, 64):
        for each in server:
            if b"where" in order:
                each.handlers.where()
            if b"term" in order:
                # Not os.kill, which on Windows would end the process here and now.
                signal.raise_signal(signal.SIGTERM)
            if b"stop" in order:
                each.should_exit = True
    die()


def main(name: str, file: str = "", port: str = "0") -> None:
    """Serve `app` of the module `name`, loaded from `file` if there is one."""
    set_limits()
    if sys.platform != "win32":
        relay(catalog.ROOT)
    handed = os.environ.pop("WORKBOOK_LISTENER", "")
    sockets = [socket.socket(fileno=int(handed))] if handed else None
    report = Reporter()
    server: list[Server] = []
    threading.Thread(target=obey, args=(server,), daemon=True).start()
    try:
        module = catalog.load(name, Path(file) if file else None)
    except SystemExit as error:
        report("failed", kind="SystemExit", message=str(error.code), line=None)
        return
    except BaseException as error:
        described = describe(error, file or file_of(name))
        print_from_the_app(error)
        report("failed", **described)
        return
    app = getattr(module, "app", None)
    if not callable(app):
        report("failed", kind="NoApp", message="", line=None)
        return
    report("routes", routes=routes_of(app))
    own = file or str(module.__file__)
    handlers = Handlers(report, own, judged=bool(file))
    # What uvicorn does by itself, but inside of what watches: to that a client is who
    # holds the connection, also when `X-Forwarded-For` tells the app of another.
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    proxied: Any = ProxyHeadersMiddleware(app, trusted)
    config = uvicorn.Config(
        handlers.watched(proxied),
        host="127.0.0.1",
        port=int(port),
        proxy_headers=False,
    )
    watch = Watch(report, own)
    logging.getLogger().addHandler(watch)
    logging.getLogger("uvicorn").addHandler(watch)
    server.append(Server(config, handlers))
    server[0].run(sockets)


if __name__ == "__main__":
    main(*sys.argv[1:])
