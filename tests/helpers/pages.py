"""The workbench as its user starts it, and its page's own calls without a browser."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server

from recipes.workbench import catalog

# Seconds for what the page should tell.
BOUND = 20.0
# Seconds for a command that judges.
LONG_BOUND = 60.0

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

News = dict[str, Any]
# Opens a page of the workbench in a browser.
OpenPage = Callable[[str], "Page"]


def copy_of_the_workbook(folder: Path) -> Path:
    """A copy with untouched exercises, to be changed; its path holds a space."""
    copy = folder / "a workbook"
    leave_out = shutil.ignore_patterns(".*", "__pycache__", "exercise_before_reset_*")
    shutil.copytree(catalog.ROOT, copy, ignore=leave_out)
    for recipe in catalog.recipes():
        starter = copy / "tests" / "starters" / recipe / "exercise.py"
        shutil.copy(starter, copy / "recipes" / recipe / "exercise.py")
    return copy


def run(workbook: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output of `python -m recipes` with these arguments."""
    done = subprocess.run(
        [sys.executable, "-m", "recipes", *arguments],
        cwd=workbook,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=LONG_BOUND,
    )
    return done.returncode, done.stdout


@contextlib.contextmanager
def served(server: Server | HTTPServer) -> Iterator[int]:
    """Have a server of the test's own serve, and end it; the port it serves at."""
    # A daemon: a test that fails must not leave it for pytest to wait for.
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join(BOUND)


class Started:
    """`python -m recipes` in a copy of the workbook, at a port of the system's."""

    def __init__(self, workbook: Path, *options: str) -> None:
        self.workbook = workbook
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recipes", "--no-browser", "--port=0", *options],
            cwd=workbook,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            # A group of its own, so that Ctrl-C is pressed for it alone.
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        found = re.search(r"http://(127\.0\.0\.1:\d+)", self.first_line)
        assert found, self.first_line + self.process.stdout.read()
        self.url, self.host = found[0], found[1]

    @property
    def token(self) -> str:
        """What the page carries."""
        found = re.search('name="token" content="([^"]+)"', self.get("/").text)
        assert found
        return found[1]

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(self.url + path, headers=headers, trust_env=False)

    def socket(self, **options: Any) -> ClientConnection:
        """A connection as the page opens it; `options` are those of `connect`."""
        options = {"origin": self.url, "proxy": None, "max_size": None} | options
        return connect(f"ws://{self.host}/live", **options)

    @contextlib.contextmanager
    def page(self, recipe: str) -> Iterator["Live"]:
        """The socket of an open page."""
        with self.socket() as socket:
            live = Live(socket, self.token)
            live.call("open", recipe=recipe)
            yield live

    def interrupt(self) -> str:
        """Press Ctrl-C; what it printed until it ended."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=BOUND)[0]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=BOUND)


class Live:
    """What a page's script does: calls with the token, and news read as they come."""

    def __init__(self, socket: ClientConnection, token: str) -> None:
        self.socket, self.token = socket, token
        self.states: dict[str, str] = {}
        self.lines: dict[str, list[str]] = {}
        self.frames: dict[int, list[News]] = {}

    def call(self, what: str, **values: Any) -> None:
        self.socket.send(json.dumps({"token": self.token, "do": what, **values}))

    def state(self, app: str, state: str) -> None:
        """Wait until the page has told that an app is in a state."""
        while self.states.get(app) != state:
            self.news("app")

    def news(
        self, tell: str, wanted: Callable[[News], bool] = lambda news: True
    ) -> News:
        """The next news of a kind that is `wanted`; logs and frames are kept."""
        end = time.monotonic() + BOUND
        while True:
            news: News = json.loads(self.socket.recv(max(0, end - time.monotonic())))
            if news["tell"] == "app":
                self.states[news["app"]] = news["state"]
            if news["tell"] == "log":
                self.lines.setdefault(news["app"], []).extend(news["lines"])
            if news["tell"] == "frames":
                self.frames.setdefault(news["console"], []).extend(news["frames"])
            if news["tell"] == tell and wanted(news):
                return news

    def start(self, app: str, settings: str = "") -> News:
        """Start an app and wait until it runs, or failed to."""
        self.call("start", app=app, settings=settings)
        return self.news(
            "app", lambda n: n["app"] == app and n["state"] in {"running", "failed"}
        )

    def connect(self, url: str, console: int = 1, **values: str) -> None:
        self.call("connect", console=console, url=url, **values)

    def send(
        self, kind: str, data: str = "", console: int = 1, code: int = 1000
    ) -> None:
        self.call("send", console=console, kind=kind, data=data, code=code)

    def end_of(self, console: int = 1) -> News:
        """How the console's connection ended."""
        end: News = self.news(
            "console", lambda n: n["console"] == console and n["end"] is not None
        )["end"]
        return end


def start_app(page: "Page", app: str) -> "Locator":
    """Start an app with its button, and wait until it runs; its place on the page."""
    place = page.locator(f"[data-app={app}]")
    page.locator(f"[data-app={app}][data-state]").wait_for()
    # Servers belong to the workbench: another page may have started it.
    if place.get_attribute("data-state") != "running":
        place.get_by_role("button", name="Start", exact=True).click()
    page.locator(f"[data-app={app}][data-state=running]").wait_for()
    if place.locator(".more").is_hidden():
        place.locator(".open").click()
    return place
