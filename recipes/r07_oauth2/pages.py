"""The pages: `login.html` takes `next` and `error`, `chat.html` takes `username`."""

from collections.abc import Mapping
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

HERE = Path(__file__).parent
templates = Jinja2Templates(HERE / "templates")
static = StaticFiles(directory=HERE / "static")

# Scripts and styles come from here alone, and no page may show ours in a frame, where
# its visitor would click on what they do not see.
POLICY = "default-src 'self'; img-src data:; frame-ancestors 'none'"


def page(
    request: Request,
    name: str,
    context: Mapping[str, str],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    headers = {**(headers or {}), "Content-Security-Policy": POLICY}
    return templates.TemplateResponse(request, name, dict(context), status, headers)


def readable(text: str) -> str:
    """The text without the half characters that a form in UTF-7 may hold."""
    return text.encode(errors="replace").decode()
