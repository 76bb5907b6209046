"""The page of `python -m recipes`: an app of FastAPI, for this machine alone."""

import contextlib
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from recipes.workbench import catalog
from recipes.workbench.consoles.offers import users
from recipes.workbench.exercises.editors import editor, name_of
from recipes.workbench.page import notebook, render
from recipes.workbench.page.contents import entries
from recipes.workbench.page.guard import Guard
from recipes.workbench.page.live import Page
from recipes.workbench.page.passages import outline
from recipes.workbench.page.search import Found, search
from recipes.workbench.page.statement import in_its_order, statement
from recipes.workbench.page.workbench import Workbench
from recipes.workbench.servers.apps import apps
from recipes.workbench.servers.starting import APPS, JUDGING, warm

HERE = Path(__file__).resolve().parent


def create_app(port: int, allow_remote: bool = False) -> FastAPI:
    """The page's app, to be served at 127.0.0.1:`port`."""
    templates = Jinja2Templates(HERE / "templates")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Most of the time from a save to a verdict went to imports.
        with warm(APPS), warm(JUDGING):
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
        return show(request, "contents.html", recipes=entries(), recipe="")

    @app.get("/search")
    def find(q: str = "") -> Found:
        return search(q)

    @app.get("/readme")
    @app.get("/symptoms")
    @app.get("/teaching")
    @app.get("/contributing")
    def text(request: Request) -> HTMLResponse:
        name = render.TEXTS[request.url.path]
        parts = outline(name)
        text = render.text(name)
        return show(request, "text.html", text=text, outline=parts, recipe="")

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
            text=render.text(f"recipes/{recipe}/README.md"),
            sources=render.sources(recipe),
            apps=in_its_order(recipe, apps(recipe)),
            users=users(recipe),
            exercise=catalog.exercise(recipe).relative_to(catalog.ROOT).as_posix(),
            outline=outline(f"recipes/{recipe}/README.md"),
            number=n + 1,
            before=(before := recipes[n - 1] if n else None),
            before_title=catalog.title(before) if before else "",
            after=(after := recipes[n + 1] if n + 1 < len(recipes) else None),
            after_title=catalog.title(after) if after else "",
            blurb=catalog.blurb(recipe),
            statement=statement(recipe),
            editor=name_of(editor()),
        )

    @app.get("/{recipe}/more")
    def more(request: Request, recipe: str) -> HTMLResponse:
        name = f"recipes/{known(recipe)}/more.md"
        if not (catalog.ROOT / name).is_file():
            raise HTTPException(404, f"There is no more.md in {recipe}.")
        return show(
            request,
            "text.html",
            text=render.text(name),
            outline=outline(name),
            recipe=recipe,
            title=catalog.title(recipe),
        )

    @app.get("/{recipe}/notebook")
    def shown_notebook(request: Request, recipe: str) -> HTMLResponse:
        text = notebook.html(known(recipe))
        if not text:
            raise HTTPException(404, f"There is no notebook of {recipe}.")
        return show(
            request,
            "notebook.html",
            text=text,
            recipe=recipe,
            title=catalog.title(recipe),
            jupyter=importlib.util.find_spec("jupyterlab") is not None,
        )

    @app.get("/{recipe}/notebook/{n}.png")
    def plot(recipe: str, n: int) -> Response:
        pictures = notebook.pictures(known(recipe))
        if not 0 <= n < len(pictures):
            raise HTTPException(404, f"The notebook of {recipe} has no plot {n}.")
        return Response(pictures[n], media_type="image/png")

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
