"""The commands of a text are run where they stand."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.helpers.pages import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


def command(page: "Page", line: str) -> "Locator":
    """Where a command of the text can be run."""
    return page.locator(".text > .runnable").filter(
        has=page.get_by_label(re.compile(f"^(Run|Stop) {re.escape(line)}$"))
    )


def test_a_learner_runs_the_text(opened: OpenPage) -> None:
    page = opened("/r01_setup")
    client = command(page, "python -m recipes.r01_setup.client").nth(1)
    client.get_by_role("button").click()
    client.get_by_text("Nobody is there yet: start the server main first.").wait_for()
    server = command(page, "uvicorn recipes.r01_setup.main:app")
    server.get_by_role("button", name="Run").click()
    server.get_by_text("main running at 127.0.0.1:").wait_for()
    # It is the one of the card.
    port = page.locator("[data-app=main] .address").inner_text().rpartition(":")[2]
    assert server.locator("[role=status]").inner_text().endswith(f":{port}")
    client.get_by_role("button").click()
    client.get_by_text("ended", exact=True).wait_for()
    printed = client.locator(".printed").inner_text()
    assert f"127.0.0.1:8000 is 127.0.0.1:{port} here, where main runs" in printed
    assert "Welcome to the chat room!" in printed
    # A reload keeps what was printed.
    page.reload()
    client.get_by_text("Welcome to the chat room!").wait_for()
    socket = command(page, "websockets ws://127.0.0.1:8000/nowhere").first
    socket.get_by_role("button").click()
    console = page.get_by_role("article", name="Console 1")
    console.get_by_text("HTTP 403").first.wait_for()
    server.get_by_role("button").click()
    page.locator("[data-app=main][data-state=stopped]").wait_for()


def test_a_program_is_stopped(opened: OpenPage) -> None:
    page = opened("/r06_benchmarking")
    tool = page.locator(".text > .runnable").filter(
        has=page.get_by_label(re.compile("^(Run|Stop) .*compare --clients 20"))
    )
    tool.get_by_role("button").click()
    tool.get_by_role("button", name="Stop").click()
    tool.get_by_text("stopped", exact=True).wait_for()


def test_code_is_copied_and_more_text_runs(opened: OpenPage) -> None:
    page = opened("/r03_disconnects/more")
    assert page.locator("pre.code:not(.output)").count() == (
        page.get_by_role("button", name="Copy this code").count()
    )
    server = command(page, "uvicorn recipes.r03_disconnects.work:app")
    server.get_by_role("button").click()
    server.get_by_text("work running at 127.0.0.1:").wait_for()
    client = command(page, "python -m recipes.r03_disconnects.client_work")
    client.get_by_role("button").click()
    client.get_by_text("ended", exact=True).wait_for()
    assert "(stopped)" in client.locator(".printed").inner_text()
    server.get_by_role("button").click()
    server.get_by_role("button", name="Run").wait_for()
