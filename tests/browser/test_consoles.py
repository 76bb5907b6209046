"""Consoles and servers in the page: what they know, what they say, what they keep."""

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.pages import OpenPage
from tests.helpers.pages import start_app as start

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


def console(page: "Page") -> "Locator":
    return page.get_by_role("article", name="Console 1")


def address(page: "Page") -> "Locator":
    return console(page).get_by_label("Address")


def test_an_address_from_the_text_and_from_what_runs(opened: OpenPage) -> None:
    page = opened("/r01_setup")
    address(page).fill("ws://127.0.0.1:8000/ws")
    start(page, "main")
    console(page).get_by_role("button", name="Use that").click()
    assert ":8000" not in address(page).input_value()
    console(page).get_by_role("button", name="Connect").click()
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("Closed by the server: 1000").wait_for()
    assert "What it means: finished" in lanes.inner_text()
    lanes.get_by_text("Connected").click()
    lanes.get_by_text("HTTP/1.1 101 Switching Protocols").wait_for()
    lanes.get_by_text("Sec-WebSocket-Key").wait_for()
    # A page of another recipe can choose it, see it, and stop it.
    other = opened("/r02_send_receive")
    pick = console(other).locator("[name=pick]")
    pick.select_option(label="/ws")
    assert address(other).input_value() == address(page).input_value()
    other.locator("#running summary").click()
    other.get_by_role("button", name="Stop r01_setup main").click()
    page.locator("[data-app=main][data-state=stopped]").wait_for()


def test_errors_stand_at_their_field(opened: OpenPage) -> None:
    page = opened("/r01_setup")
    connect = console(page).get_by_role("button", name="Connect")
    for field, wrong, said in (
        ("Address", "127.0.0.1:8000", "begins with ws://"),
        ("Headers, one in a line", "no header", "written Name: value"),
    ):
        console(page).locator("details").evaluate("at => { at.open = true; }")
        place = console(page).get_by_label(field)
        before = place.input_value()
        place.fill(wrong)
        connect.click()
        page.get_by_text(said).wait_for()
        assert place.get_attribute("aria-invalid") == "true"
        assert place.evaluate("at => at === document.activeElement")
        place.fill(before)
        assert page.get_by_text(said).is_hidden()
        address(page).fill("ws://127.0.0.1:1/")
    server = page.locator("[data-app=quiet]")
    server.locator(".open").click()
    server.get_by_label("Settings").fill("no setting")
    server.get_by_role("button", name="Start", exact=True).click()
    server.get_by_text("Settings are written NAME=value").wait_for()
    server.get_by_label("Settings").fill("")
    # What is no address at all says so in words, and nothing of Python's.
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        address(page).fill(f"wss://127.0.0.1:{port}/")
        connect.click()
        peer, _ = plain.accept()
        with peer:
            peer.recv(1)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        console(page).get_by_text("No TLS is spoken there").wait_for()


def test_a_request_a_token_and_its_claims(opened: OpenPage) -> None:
    page = opened("/r07_oauth2")
    main = start(page, "main")
    link = main.locator(".address").get_attribute("href")
    console(page).locator("[name=method]").select_option("POST")
    address(page).fill(f"{link}/token")
    console(page).get_by_label("Body").fill("username=johndoe\npassword=secret")
    console(page).get_by_role("button", name="Send request").click()
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("POST /token: HTTP 200 OK").click()
    lanes.get_by_text('"sub":"johndoe"').wait_for()
    console(page).locator("[name=form]").select_option("json")
    console(page).get_by_role("button", name="Send request").click()
    page.get_by_text("The body is no JSON").wait_for()
    console(page).get_by_role("button", name="Fetch a token").click()
    claims = console(page).get_by_label("What the token says")
    claims.get_by_text('"sub":"johndoe"').wait_for()
    assert "valid until" in claims.inner_text()


def test_recall_filter_and_save(opened: OpenPage, tmp_path: Path) -> None:
    page = opened("/r02_send_receive")
    main = start(page, "main")
    main.locator(".offers button").first.click()
    message = console(page).get_by_label("Message")
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("Connected").wait_for()
    for text in ("first", "second"):
        message.fill(text)
        message.press("Enter")
        lanes.locator(".sent", has_text=text).wait_for()
    message.press("ArrowUp")
    message.press("ArrowUp")
    assert message.input_value() == "first"
    message.press("ArrowDown")
    message.press("ArrowDown")
    assert message.input_value() == ""
    lanes.locator(".sent", has_text="first").get_by_role("button").click()
    lanes.locator(".sent", has_text="first").nth(1).wait_for()
    console(page).get_by_label("Show only rows with").fill("SECOND")
    lanes.locator(".sent", has_text="first").first.wait_for(state="hidden")
    lanes.locator(".sent", has_text="second").wait_for()
    with page.expect_download() as download:
        console(page).get_by_role("button", name="Save as JSON").click()
    download.value.save_as(tmp_path / "saved.json")
    saved = json.loads((tmp_path / "saved.json").read_bytes())
    assert saved[0]["received"].startswith("HTTP/1.1 101")
    sent = [row["text"] for row in saved if row.get("sent") is True]
    assert sent == ["first", "second", "first"]


def test_new_frames_do_not_take_away_what_is_read(opened: OpenPage) -> None:
    page = opened("/r02_send_receive")
    start(page, "main").locator(".offers button").first.click()
    lanes = console(page).locator(".lanes")
    message = console(page).get_by_label("Message")
    for n in range(20):
        message.fill(f"message {n}")
        message.press("Enter")
        lanes.locator(".sent", has_text=f"message {n}").first.wait_for()
    lanes.hover()
    page.mouse.wheel(0, -2000)
    page.wait_for_function("document.querySelector('.lanes').scrollTop === 0")
    message.fill("one more")
    message.press("Enter")
    fresh = console(page).get_by_role("button", name="new row")
    fresh.wait_for()
    assert lanes.evaluate("at => at.scrollTop") == 0
    fresh.click()
    fresh.wait_for(state="hidden")
    assert lanes.evaluate("at => at.scrollTop > 0")


def test_a_page_that_comes_back_is_as_it_was(opened: OpenPage) -> None:
    page = opened("/r02_send_receive")
    main = start(page, "main")
    main.get_by_label("Settings").fill("IDLE_TIMEOUT=9")
    main.locator(".offers button").first.click()
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("Connected").wait_for()
    message = console(page).get_by_label("Message")
    message.fill("kept")
    message.press("Enter")
    lanes.locator(".sent", has_text="kept").wait_for()
    message.fill("a draft")
    where = address(page).input_value()
    page.locator("#read").evaluate("at => { at.scrollTop = 300; }")
    page.get_by_role("link", name="Next: 3 ").click()
    page.get_by_role("heading", name="Handling connections").wait_for()
    page.get_by_role("link", name="Before: 2 ").click()
    page.locator("#link", has_text="Connected").wait_for()
    assert page.locator("#read").evaluate("at => at.scrollTop") == 300
    assert address(page).input_value() == where
    assert message.input_value() == "a draft"
    assert main.get_by_label("Settings").input_value() == "IDLE_TIMEOUT=9"
    lanes.get_by_text("this connection ended with it").wait_for()
    console(page).get_by_role("button", name="Connect").click()
    lanes.get_by_text("Attempt 2").wait_for()
    assert lanes.locator(".sent", has_text="kept").is_visible()
    console(page).get_by_role("button", name="Clear").click()
    assert lanes.locator("li").count() == 0


def test_starting_and_stopping_moves_nothing(opened: OpenPage) -> None:
    page = opened("/r01_setup")
    seen = console(page).bounding_box()
    main = start(page, "main")
    assert main.locator(".offers button").is_visible()
    page.locator("#dock pre:visible").get_by_text("Uvicorn running").last.wait_for()
    assert console(page).bounding_box() == seen
    main.get_by_role("button", name="Stop", exact=True).click()
    page.locator("[data-app=main][data-state=stopped]").wait_for()
    assert console(page).bounding_box() == seen


def test_two_consoles_show_eight_messages_each(opened: OpenPage) -> None:
    page = opened("/r05_chat")
    main = start(page, "main")
    for n, name in enumerate(("ada", "bob")):
        main.get_by_role("button", name=f"/chatroom/{name}").click()
        page.locator(".console[data-state=open]").nth(n).wait_for()
    both = [page.get_by_role("article", name=f"Console {n}") for n in (1, 2)]
    message = console(page).get_by_label("Message")
    for n in range(8):
        message.fill(f"Hi {n}")
        message.press("Enter")
        for each in both:
            each.locator(".received", has_text=f"Hi {n}").wait_for()
    for each in both:
        shown = each.locator(".frame").evaluate_all(
            """rows => rows.filter(row => {
                const lanes = row.parentElement.getBoundingClientRect();
                const {top, bottom} = row.getBoundingClientRect();
                return top >= lanes.top && bottom <= lanes.bottom;
            }).length"""
        )
        assert shown >= 8
    # The same fits a phone.
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for each in both:
        assert each.evaluate("at => at.scrollWidth <= at.clientWidth")


def test_every_offer_is_a_few_keys_away(opened: OpenPage) -> None:
    page = opened("/r01_setup")
    start(page, "main")
    page.reload()
    page.locator(".offers button").first.wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "To what to try":
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "offer"
    page.keyboard.press("Enter")
    console(page).get_by_text("Closed by the server: 1000").wait_for()


def test_what_runs_is_stopped_from_a_text(opened: OpenPage) -> None:
    recipe, text = opened("/r01_setup"), opened("/symptoms")
    start(recipe, "main")
    text.locator("#running summary").click()
    text.get_by_role("button", name="Stop r01_setup main").click()
    recipe.locator("[data-app=main][data-state=stopped]").wait_for()
