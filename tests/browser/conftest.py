"""A real browser: Chromium, driven by Playwright.

To see it at work, set SLOW_MOTION to the milliseconds that each step shall take.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.pages import OpenPage, Started, copy_of_the_workbook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# Chromium and the browsers built on it, by the names that systems give them.
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
# Milliseconds for whatever a page should show.
PATIENCE = 10_000
# Milliseconds for each step in a window that can be watched; no window without it.
SLOW_MOTION = float(os.environ.get("SLOW_MOTION") or 0)


# Not for the session: while Playwright runs, no other event loop can in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    pytest.importorskip(
        "playwright", reason="pages are tested with tests/requirements.txt installed"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("pages are tested where Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=FLAGS,
            headless=not SLOW_MOTION,
            slow_mo=SLOW_MOTION,
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    """A browser of its own, with no cookies; what its pages log as errors fails."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_workbook(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def started(workbook: Path) -> Iterator[Started]:
    started = Started(workbook)
    yield started
    assert "Traceback" not in started.interrupt()


@pytest.fixture
def opened(started: Started, context: "BrowserContext") -> Iterator[OpenPage]:
    """Opens a page of the workbench at 1280 px; what its console reports fails."""
    reported: list[str] = []

    def open_page(path: str) -> "Page":
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 900})
        page.on("console", lambda message: reported.append(message.text))
        page.goto(started.url + path)
        page.locator("#link", has_text="Connected").wait_for()
        return page

    yield open_page
    assert reported == []
