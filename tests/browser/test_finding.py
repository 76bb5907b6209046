"""Where one is, in the page: contents, outline, search and diagrams."""

import re
import shutil
from pathlib import Path

import pytest

from recipes.workbench import catalog
from tests.helpers.pages import OpenPage

pytestmark = pytest.mark.slow

RECIPES = catalog.recipes()


def test_contents_say_where_to_begin(opened: OpenPage) -> None:
    page = opened("/")
    begin = page.get_by_role("link", name="Begin here")
    begin.wait_for()
    assert page.locator(".go-on:visible").count() == 1
    first = page.get_by_role("listitem").filter(has=begin)
    assert "about 20 minutes" in first.inner_text()
    assert "Know before: routes in FastAPI" in first.inner_text()
    begin.click()
    page.get_by_role("heading", name="Setting up WebSockets").wait_for()
    page.get_by_role("link", name="Next: 2 Sending and receiving").wait_for()


@pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)
def test_contents_lead_on(opened: OpenPage, workbook: Path) -> None:
    """The first is done and the second is not: there one goes on."""
    done = workbook / "recipes" / RECIPES[0] / "exercise.py"
    begun = workbook / "recipes" / RECIPES[1] / "exercise.py"
    before = done.read_bytes(), begun.read_bytes()
    try:
        shutil.copy(workbook / "solutions" / RECIPES[0] / "exercise.py", done)
        begun.write_bytes(before[1] + b"\n# begun\n")
        page = opened("/")
        go_on = page.locator(f"#{RECIPES[1]}").get_by_role("link", name="Go on here")
        go_on.wait_for(timeout=30_000)
        assert page.locator(".go-on:visible").count() == 1
        go_on.click()
        page.get_by_role("tab", name="Exercise", selected=True).wait_for()
    finally:
        done.write_bytes(before[0])
        begun.write_bytes(before[1])


def test_the_outline_leads_and_follows(opened: OpenPage) -> None:
    page = opened("/r05_chat")
    outline = page.get_by_role("navigation", name="In this text")
    outline.get_by_role("link", name="There's more").click()
    heading = page.get_by_role("heading", name="There's more")
    now = outline.locator("[aria-current]")
    now.filter(has_text="There's more").wait_for()
    # Below the tabs and the outline, and not behind them.
    box, above = heading.bounding_box(), outline.bounding_box()
    assert box
    assert above
    assert above["y"] + above["height"] <= box["y"] < 300
    page.set_viewport_size({"width": 390, "height": 800})
    outline.get_by_text("In this text").click()
    outline.get_by_role("link", name="How it works").click()
    assert outline.get_by_role("link").count() == 0
    outline.get_by_text("In this text: How it works").wait_for()


def test_search_by_typing_and_enter(opened: OpenPage) -> None:
    page = opened("/")
    field = page.get_by_role("searchbox", name="Search all texts and symptoms")
    field.fill("no such <b>words</b>")
    found = page.locator("#found")
    found.get_by_text("Nothing has “no such <b>words</b>”.").wait_for()
    field.fill("a client that keeps us waiting")
    field.fill("slow consumer")
    field.press("Enter")
    first = found.get_by_role("link").first
    page.wait_for_function("document.activeElement.closest('#found a')")
    assert re.search(r"\d+ places", found.get_by_role("status").inner_text())
    assert first.locator("mark").inner_text().lower() == "slow consumer"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert not found.is_visible()
    page.keyboard.press("ArrowDown")
    target = first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{target}")


def test_a_diagram_is_seen_and_heard(opened: OpenPage) -> None:
    page = opened("/r05_chat")
    drawn = page.get_by_role("img", name="Sequence: ada, server, bob, cy")
    drawn.scroll_into_view_if_needed()
    box = drawn.bounding_box()
    assert box
    assert box["width"] > 400
    about = page.locator(f"#{drawn.get_attribute('aria-describedby')}")
    words = about.text_content() or ""
    assert "At the same time: to everyone at once." in words
    assert "waits, SEND_TIMEOUT at most. This does not arrive." in words
    images = page.locator("#panel-text img")
    images.first.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('#panel-text img')]"
        ".some(each => each.complete && each.naturalWidth)"
    )
