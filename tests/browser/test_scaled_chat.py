"""Recipe 8's page in a real browser: it comes back where it was, on any worker."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recipes.workbench.judging.redis_server import Missing, RedisServer
from recipes.workbench.servers.server import AppServer

pytest.importorskip(
    "playwright", reason="pages are tested with tests/requirements.txt installed"
)
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

NAME = "recipes.r08_scale_out.main"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    try:
        with RedisServer("--appendonly", "yes") as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def worker(redis: RedisServer) -> Iterator[Callable[..., AppServer]]:
    servers: list[AppServer] = []

    def start(port: int = 0) -> AppServer:
        settings = {"CHAT_BROKER": redis.url, "BROKER_TIMEOUT": 1}
        servers.append(AppServer(NAME, None, settings, port=port))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def enter(context: "BrowserContext", port: int, name: str) -> "Page":
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/chatroom/{name}")
    expect(page.locator("#status")).to_have_text("Connected")
    return page


def say(page: "Page", text: str) -> None:
    page.fill("#messageText", text)
    page.press("#messageText", "Enter")


def last(page: "Page") -> "Locator":
    return page.locator("#messages li").last


def said(page: "Page") -> list[str]:
    """All that people have said, as the page shows it."""
    lines = page.locator("#messages li:not(.system)").all_inner_texts()
    return [line.split(": ", 1)[1] for line in lines]


def test_a_worker_goes(
    context: "BrowserContext", worker: Callable[..., AppServer]
) -> None:
    here, there = worker(), worker()
    ada, bob = enter(context, here.port, "ada"), enter(context, there.port, "bob")
    say(ada, "before")
    expect(last(bob)).to_have_text("ada: before")
    expect(ada.locator(".waiting")).to_have_count(0)
    here.kill()
    expect(ada.locator("#status")).to_have_text(re.compile("Disconnected"))
    for text in ("meanwhile 1", "meanwhile 2"):
        say(bob, text)
    for text in ("waiting 1", "waiting 2"):
        say(ada, text)
        expect(last(ada)).to_have_class("waiting")
    worker(here.port)
    expect(ada.locator("#status")).to_have_text("Connected")
    expect(ada.locator(".waiting")).to_have_count(0)
    say(ada, "after")
    expect(last(bob)).to_have_text("ada: after")
    meanwhile = ["meanwhile 1", "meanwhile 2"]
    waiting = ["waiting 1", "waiting 2"]
    assert said(bob) == ["before", *meanwhile, *waiting, "after"]
    # What it said was shown at once; what it missed came when it was back.
    assert said(ada) == ["before", *waiting, *meanwhile, "after"]


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_redis_goes(
    context: "BrowserContext",
    redis: RedisServer,
    worker: Callable[..., AppServer],
    how: str,
) -> None:
    here, there = worker(), worker()
    ada, bob = enter(context, here.port, "ada"), enter(context, there.port, "bob")
    say(ada, "before")
    expect(last(bob)).to_have_text("ada: before")
    getattr(redis, "kill" if how == "killed" else "pause")()
    expect(last(ada)).to_have_text("system: Delivery is interrupted")
    texts = ["first", "second", "third"]
    for text in texts:
        say(ada, text)
    expect(ada.locator(".waiting")).to_have_count(3)
    expect(ada.locator("#status")).to_have_text("Connected")
    getattr(redis, "start" if how == "killed" else "resume")()
    expect(ada.locator(".waiting")).to_have_count(0)
    # Perhaps before bob's page hears that delivery is back.
    expect(bob.locator("#messages li", has_text="ada: third")).to_have_count(1)
    assert said(bob) == said(ada) == ["before", *texts]


def test_redis_forgets(
    context: "BrowserContext", redis: RedisServer, worker: Callable[..., AppServer]
) -> None:
    here, there = worker(), worker()
    ada, bob = enter(context, here.port, "ada"), enter(context, there.port, "bob")
    say(bob, "before")
    expect(last(ada)).to_have_text("bob: before")
    here.kill()
    redis.command("FLUSHALL")
    say(bob, "kept")
    expect(last(bob)).to_have_text("You: kept")
    worker(here.port)
    expect(last(ada)).to_have_text("bob: kept")
    notice = "system: You missed messages that are no longer kept"
    expect(ada.locator("#messages li", has_text=notice)).to_have_count(1)
    assert said(ada) == ["before", "kept"]


def test_too_long_a_message(context: "BrowserContext") -> None:
    server = AppServer(NAME)
    try:
        ada = enter(context, server.port, "ada")
        say(ada, "é" * 32_769)
        expect(last(ada)).to_have_text("system: This message is too long")
        say(ada, "<b>x</b>")
        expect(last(ada)).to_have_text("You: <b>x</b>")
        expect(ada.locator(".waiting")).to_have_count(0)
    finally:
        server.kill()


def test_mounted_in_another_app(context: "BrowserContext", tmp_path: Path) -> None:
    outer = tmp_path / "outer.py"
    outer.write_text(
        "from fastapi import FastAPI\n"
        "from recipes.r08_scale_out.main import app as chat\n"
        "app = FastAPI()\n"
        "app.mount('/deep/inside', chat)\n"
    )
    server = AppServer("outer", outer)
    try:
        page = context.new_page()
        page.goto(f"http://localhost:{server.port}/deep/inside/chatroom/ada?a=1#b")
        say(page, "hello")
        expect(last(page)).to_have_text("You: hello")
        expect(page.locator(".waiting")).to_have_count(0)
    finally:
        server.kill()
