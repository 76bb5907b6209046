"""What axe-core finds against the rules of accessibility: nothing."""

from typing import Literal

import pytest

from tests.helpers.pages import OpenPage, start_app

pytestmark = pytest.mark.slow

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright",
    reason="this is tested with tests/requirements.txt installed",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: OpenPage, scheme: Literal["light", "dark"]) -> None:
    page = opened("/r07_oauth2")
    page.emulate_media(color_scheme=scheme)
    start_app(page, "main").locator(".offers button").first.click()
    page.locator(".lanes .end").wait_for()
    page.locator("#running summary").click()
    found = []
    for tab in ("text", "code", "exercise"):
        page.locator(f"#tab-{tab}").click()
        if tab == "code":
            page.locator("#source", has_text="import").wait_for()
        found += violations(page, tab)
    page.goto(page.url.rpartition("/")[0] + "/")
    found += violations(page, "contents")
    assert found == []


def violations(page: object, where: str) -> list[str]:
    """The rules that are broken on a page, and elements that break them."""
    report = axe.Axe().run(page).response
    return [
        f"{where}: {each['id']}, {node['target']}, {node['failureSummary']}"
        for each in report["violations"]
        for node in each["nodes"][:3]
    ]
