"""The page of `python -m recipes`: an app of FastAPI, for this machine alone.

It starts programs, so no other web page may use it. Every request and every socket must
name this server as its Host, since a foreign name that leads here is DNS rebinding; one
that comes from a page must come from its own (Origin): anything else is cross-site
WebSocket hijacking. And each call of the page carries the token of this run.
"""

import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recipes.workbench import catalog, render
from recipes.workbench.offers import users
from recipes.workbench.page import Page
from recipes.workbench.processes import apps
from recipes.workbench.workbench import Workbench

HERE = Path(__file__).resolve().parent
# Bytes of one call of the page; a message to send travels in it.
MOST_BYTES = 2**20

HEADERS = {
    # Nothing but what this server serves: no inline script, no remote asset, no frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; connect-src 'self' ws://{host}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets in what was meant for this server and, from a page, sent by its own."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        if port == 80:
            self.hosts |= {"127.0.0.1", "localhost"}

    def why_not(self, scope: Scope) -> str:
        """What is wrong with a request; nothing if it may pass."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return "This server is for its own address only."
        own = [f"http://{hosts[0].lower()}"]
        if origins != own and (origins or scope["type"] == "websocket"):
            return "This server is for its own pages only."
        return ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
        elif sentence := self.why_not(scope):
            # For a socket this is the denial of its handshake.
            await PlainTextResponse(sentence, 403)(scope, receive, send)
        else:
            host = Headers(scope=scope)["host"]
            await self.app(scope, receive, with_headers(send, host))


def with_headers(send: Send, host: str) -> Send:
    """Adds the security headers to an answer."""

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value.replace("{host}", host)
        await send(message)

    return adding


def create_app(port: int, allow_remote: bool = False) -> FastAPI:
    """The page's app, to be served at 127.0.0.1:`port`."""
    templates = Jinja2Templates(HERE / "templates")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.workbench = workbench = Workbench(allow_remote)
        workbench.spawn(workbench.watch())
        yield
        await workbench.stop()

    app = FastAPI(lifespan=lifespan, openapi_url=None, title="The workbench")
    app.mount("/static", StaticFiles(directory=HERE / "static"))

    def show(request: Request, template: str, **values: Any) -> HTMLResponse:
        values |= {"token": app.state.workbench.token}
        return templates.TemplateResponse(request, template, values)

    def known(recipe: str) -> str:
        if recipe not in catalog.recipes():
            raise HTTPException(404, f"There is no recipe {recipe}.")
        return recipe

    @app.get("/")
    def contents(request: Request) -> HTMLResponse:
        recipes = [(r, catalog.title(r), catalog.blurb(r)) for r in catalog.recipes()]
        return show(request, "contents.html", recipes=recipes, recipe="")

    @app.get("/readme")
    def readme(request: Request) -> HTMLResponse:
        return show(request, "readme.html", text=render.readme(""), recipe="")

    @app.get("/code.css")
    def code_css() -> Response:
        return Response(render.styles(), media_type="text/css")

    @app.get("/{recipe}")
    def page(request: Request, recipe: str) -> HTMLResponse:
        recipes = catalog.recipes()
        n = recipes.index(known(recipe))
        return show(
            request,
            "recipe.html",
            recipe=recipe,
            title=catalog.title(recipe),
            text=render.readme(f"recipes/{recipe}"),
            sources=render.sources(recipe),
            apps=apps(recipe),
            users=users(recipe),
            exercise=catalog.exercise(recipe).relative_to(catalog.ROOT).as_posix(),
            before=recipes[n - 1] if n else None,
            after=recipes[n + 1] if n + 1 < len(recipes) else None,
        )

    @app.get("/{recipe}/files/{name:path}")
    def source(recipe: str, name: str) -> HTMLResponse:
        if name not in render.sources(known(recipe)):
            raise HTTPException(404, f"There is no {name} in {recipe}.")
        return HTMLResponse(render.file(catalog.RECIPES / recipe / name))

    @app.get("/images/{name}")
    def image(name: str) -> FileResponse:
        return picture(catalog.ROOT, name)

    @app.get("/{recipe}/images/{name}")
    def image_of(recipe: str, name: str) -> FileResponse:
        return picture(catalog.RECIPES / known(recipe), name)

    def picture(folder: Path, name: str) -> FileResponse:
        file = folder / "images" / name
        if len(name) > 100 or file.suffix != ".png" or not file.is_file():
            raise HTTPException(404, f"There is no image {name}.")
        return FileResponse(file)

    @app.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        await Page(websocket, app.state.workbench).run()

    app.add_middleware(Guard, port=port)
    return app


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
