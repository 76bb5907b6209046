"""What `python -m recipes` gives to read: notebooks, and tracebacks that are folded."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.pages import Started

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.slow


# A phone's width, and half a screen beside an editor.
@pytest.mark.parametrize("width", [390, 960])
def test_a_notebook_is_shown(
    started: Started, context: "BrowserContext", width: int
) -> None:
    page = context.new_page()
    reported: list[str] = []
    page.on("console", lambda message: reported.append(message.text))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(started.url + "/r05_chat")
    page.get_by_role("link", name="Notebook", exact=True).click()
    page.locator("pre.output").first.wait_for()
    plot = page.locator("main img").first
    plot.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('main img').naturalWidth > 100")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert reported == []


def test_a_traceback_folds_what_is_not_the_learners(
    started: Started, workbook: Path, context: "BrowserContext"
) -> None:
    file = workbook / "recipes" / "r01_setup" / "main.py"
    file.write_text(
        file.read_text("utf-8").replace(
            "await websocket.accept()", "raise LookupError('mine')"
        ),
        encoding="utf-8",
    )
    page = context.new_page()
    page.goto(started.url + "/r01_setup")
    page.locator("#link", has_text="Connected").wait_for()
    main = page.locator("[data-app=main]")
    main.get_by_role("button", name="Start").click()
    page.locator("[data-app=main][data-state=running]").wait_for()
    main.get_by_role("button", name="/ws").first.click()
    log = page.locator("[data-log=main] pre")
    log.get_by_text("LookupError: mine").wait_for()
    seen = log.inner_text()
    assert "main.py" in seen
    assert "raise LookupError('mine')" in seen
    assert "site-packages" not in seen
    # They are a click away.
    log.locator("summary").first.click()
    assert "site-packages" in log.inner_text()
