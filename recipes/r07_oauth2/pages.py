"""The pages: `login.html` takes `next` and `error`, `chat.html` takes `username`."""

from pathlib import Path

from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

HERE = Path(__file__).parent
templates = Jinja2Templates(HERE / "templates")
static = StaticFiles(directory=HERE / "static")


def readable(text: str) -> str:
    """The text without the half characters that a form in UTF-7 may hold."""
    return text.encode(errors="replace").decode()
