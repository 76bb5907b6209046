"""The page of `python -m recipes`, used with mouse and keyboard."""

import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.sync.server import ServerConnection, serve

from recipes.workbench import catalog
from tests.helpers.pages import OpenPage, Started, served
from tests.helpers.pages import start_app as start

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.slow

# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)


def offer(place: "Locator", title: str) -> None:
    place.get_by_role("listitem").filter(has_text=title).get_by_role("button").click()


def console(page: "Page", number: int = 1) -> "Locator":
    return page.get_by_role("article", name=f"Console {number}")


def test_recipe_1(opened: OpenPage) -> None:
    page = opened("/")
    page.get_by_role("link", name="Setting up WebSockets").click()
    main = start(page, "main")
    assert "uvicorn recipes.r01_setup.main:app" in main.inner_text()
    main.get_by_role("button", name="/ws").click()
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("Closed by the server: 1000 Normal Closure").wait_for()
    # Before its first frame the handshake was accepted, however soon the end came.
    assert lanes.locator("li").first.inner_text() == "Connected"
    first = lanes.locator(".received").first
    assert "Welcome to the chat room!" in first.inner_text()
    assert "25 bytes" in first.inner_text()
    log = page.locator("#dock pre:visible")
    log.get_by_text("Uvicorn running on http://127.0.0.1:").wait_for()
    log.get_by_text('"WebSocket /ws" [accepted]').wait_for()
    main.get_by_role("button", name="Stop").click()
    page.locator("[data-app=main][data-state=stopped]").wait_for()


def test_recipe_4_refused_and_closed(opened: OpenPage) -> None:
    page = opened("/r04_errors")
    offer(start(page, "step1_close_codes"), "without the header")
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("Refused: HTTP 403 Forbidden").wait_for()
    lanes.get_by_text("no route on that path, or the app refused").wait_for()
    assert "Content-Length: 0" in lanes.inner_text()
    offer(start(page, "main"), "1008 for a bad message")
    console(page).get_by_role("button", name="a bad message").click()
    lanes.get_by_text("Closed by the server: 1008 Policy Violation").wait_for()
    assert "Inappropriate message" in lanes.locator(".end").last.inner_text()
    offer(start(page, "demo_http_codes"), "HTTP 401 before")
    lanes.get_by_text("Refused: HTTP 401 Unauthorized").wait_for()
    assert '{"detail":"Unauthorized"}' in lanes.inner_text()
    status = console(page).get_by_role("status")
    status.get_by_text("Refused: HTTP 401 Unauthorized.").wait_for()


def test_two_consoles_chat(opened: OpenPage) -> None:
    page = opened("/r05_chat")
    main = start(page, "main")
    offer(main, "ada comes in")
    ada, bob = console(page, 1), console(page, 2)
    ada.get_by_text("Connected").wait_for()
    offer(main, "bob comes in")
    ada.get_by_text("bob joined the chat").first.wait_for()
    ada.get_by_label("Message").fill("Hello <b>bob</b>!")
    ada.get_by_label("Message").press("Enter")
    bob.get_by_text("Hello <b>bob</b>!").first.wait_for()
    bob.locator("[name=kind]").select_option("close")
    bob.get_by_label("Code").fill("4001")
    bob.get_by_label("Reason").fill("had enough")
    bob.get_by_role("button", name="Send").click()
    bob.get_by_text("Closed by this console: 4001").wait_for()
    ada.get_by_text("bob left the chat").first.wait_for()
    # The two stand side by side, and fit.
    boxes = [each.bounding_box() for each in (ada, bob)]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert boxes[1]["x"] + boxes[1]["width"] <= 1280


def test_copies_run_as_they_are(opened: OpenPage, workbook: Path) -> None:
    page = opened("/r04_errors")
    offer(start(page, "main"), "1008 for a bad message")
    console(page).get_by_role("button", name="a bad message").click()
    console(page).get_by_text("Closed by the server: 1008").wait_for()
    dialog = page.get_by_role("dialog")
    for name, command in (
        ("Copy as Python", ["exchange.py"]),
        ("Copy as test", ["-m", "pytest", "-q", "test_exchange.py"]),
    ):
        console(page).get_by_role("button", name=name).click()
        text = dialog.locator("textarea").input_value()
        assert "Inappropriate message" in text
        (workbook / command[-1]).write_text(text, encoding="utf-8")
        assert command[-1] in dialog.inner_text()
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        done = subprocess.run(
            [sys.executable, *command], cwd=workbook, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stdout
        (workbook / command[-1]).unlink()


def test_recipe_7_with_and_without_token(opened: OpenPage) -> None:
    page = opened("/r07_oauth2")
    main = start(page, "main")
    offer(main, "without a token")
    lanes = console(page).locator(".lanes")
    lanes.get_by_text("Refused: HTTP 401 Unauthorized").wait_for()
    assert "www-authenticate: Bearer" in lanes.inner_text()
    offer(main, "with a token: johndoe")
    lanes.get_by_text("Welcome johndoe!").wait_for()
    headers = console(page).get_by_label("Headers, one in a line")
    assert headers.input_value().startswith("Authorization: Bearer ey")
    console(page).get_by_role("button", name="Close", exact=True).click()
    lanes.get_by_text("Closed by this console: 1000").wait_for()
    console(page).get_by_label("User").select_option("janedoe")
    console(page).get_by_role("button", name="Fetch a token").click()
    before = headers.input_value()
    page.wait_for_function(
        "old => document.querySelector('[name=headers]').value !== old", arg=before
    )
    console(page).get_by_role("button", name="Connect").click()
    lanes.get_by_text("Welcome janedoe!").wait_for()


@with_solutions
def test_an_exercise_turns_green_task_by_task(opened: OpenPage, workbook: Path) -> None:
    recipe = "r03_disconnects"
    answer = workbook / "recipes" / recipe / "exercise.py"
    page = opened(f"/{recipe}")
    page.get_by_role("tab", name="Exercise").click()
    page.get_by_text("Not begun").wait_for()
    tasks = page.locator(".task")
    most = tasks.count()
    assert most >= 4
    # How many are green is noted by the page itself, at each change.
    page.evaluate(
        """() => {
            window.seen = new Set();
            const note = () => seen.add(document.querySelectorAll(
                ".task[data-state=passed]").length);
            new MutationObserver(note).observe(document.querySelector("#tasks"),
                {subtree: true, attributes: true, childList: true});
        }"""
    )
    answer.write_text("x = 1 / 0", encoding="utf-8")
    page.get_by_text(f"0 of {most} tasks passed.").wait_for()
    assert "ZeroDivisionError on line 1" in tasks.first.inner_text()
    shutil.copyfile(workbook / "solutions" / recipe / "exercise.py", answer)
    page.get_by_text("All tasks passed.").wait_for()
    assert page.locator(".task[data-state=passed]").count() == most
    seen = page.evaluate("[...seen]")
    assert seen == sorted(seen)
    assert seen[-1] == most
    assert set(seen) - {0, most}
    page.get_by_role("button", name="Solution").click()
    page.get_by_role("heading", name="The reference answer").wait_for()
    # On the contents it stands too; and starting over keeps the work.
    contents = opened("/")
    contents.locator(f"#{recipe}").get_by_text(f"{most} of {most} tasks").wait_for()
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("dialog").get_by_role("button", name="Start over").click()
    page.get_by_text("exercise_before_reset_1.py").wait_for()
    assert "TODO" in answer.read_text(encoding="utf-8")
    contents.locator(f"#{recipe}").get_by_text("not begun").wait_for()


def test_failures_hints_and_solution_anyway(opened: OpenPage, workbook: Path) -> None:
    page = opened("/r01_setup")
    page.get_by_role("tab", name="Exercise").click()
    page.get_by_role("button", name="Check now").click()
    page.get_by_text("0 of 2 tasks passed.").wait_for()
    story = page.locator(".task pre").first
    assert "expected: 'Welcome, Ada!'" in story.inner_text()
    assert "client: connect /ws/Ada" in story.inner_text()
    first = page.locator(".task").first
    for n in (1, 2, 3):
        first.get_by_role("button", name="hint").click()
        first.get_by_text(f"Hint {n} of 3:").wait_for()
    first.get_by_role("button", name="hint").wait_for(state="hidden")
    if (workbook / "solutions").is_dir():
        page.get_by_role("button", name="Solution").click()
        page.get_by_role("button", name="Show me anyway").click()
        page.locator("#shown-solution code span").first.wait_for()


def test_a_server_that_crashes_at_import(opened: OpenPage, workbook: Path) -> None:
    file = workbook / "recipes" / "r02_send_receive" / "main.py"
    text = file.read_text(encoding="utf-8")
    page = opened("/r02_send_receive")
    file.write_text("import nothing_like_that\n" + text, encoding="utf-8")
    try:
        place = page.locator("[data-app=main]")
        place.get_by_role("button", name="Start").click()
        page.locator("[data-app=main][data-state=failed]").wait_for()
        place.get_by_text("cannot be loaded: ModuleNotFoundError").wait_for()
        log = page.locator("#dock pre:visible")
        log.get_by_text("Traceback (most recent call last)").first.wait_for()
        log.get_by_text("No module named 'nothing_like_that'").first.wait_for()
    finally:
        file.write_text(text, encoding="utf-8")
    # Mended and saved, it serves.
    page.locator("[data-app=main][data-state=running]").wait_for()


def test_a_foreign_page_cannot_use_it(
    started: Started, context: "BrowserContext"
) -> None:
    """A page of another port is foreign: it reads nothing and opens no socket."""

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>evil</title>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Evil) as server, served(server) as port:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        closed = page.evaluate(
            """address => new Promise(done => {
                const socket = new WebSocket(address);
                socket.onopen = () => done("open");
                socket.onclose = ({code}) => done(code);
            })""",
            f"ws://{started.host}/live",
        )
        assert closed == 1006
        read = "address => fetch(address).then(r => r.text(), () => 'refused')"
        assert page.evaluate(read, started.url) == "refused"
        page.evaluate(
            """address => new Promise(done => {
                const frame = document.createElement("iframe");
                frame.onload = done;
                frame.src = address;
                document.body.append(frame);
            })""",
            started.url,
        )
        token = started.token
        assert not any(token in frame.content() for frame in page.frames)


def test_ten_thousand_frames(opened: OpenPage) -> None:
    """They are all there, and the page still does what it is told at once."""
    most = 10_000

    def flood(socket: ServerConnection) -> None:
        for n in range(most):
            socket.send(f'{{"n": {n}, "text": "some words to fill a line with"}}')
        for message in socket:
            socket.send(message)

    with serve(flood, "127.0.0.1", 0) as server, served(server) as port:
        page = opened("/r01_setup")
        console(page).get_by_label("Address").fill(f"ws://127.0.0.1:{port}/")
        console(page).get_by_role("button", name="Connect").click()
        rows = console(page).locator(".lanes li")

        def last_is(text: str) -> None:
            rows.last.locator("visible=true", has_text=text).first.wait_for()

        last_is(f'"n": {most - 1}')
        # A part of them is made into rows, and the rest on the way up.
        made = rows.count()
        assert made < 1_000
        rows.first.scroll_into_view_if_needed()
        page.wait_for_function(
            "made => document.querySelectorAll('.lanes li').length > made", arg=made
        )
        assert "1 earlier row left out" in console(page).inner_text()
        console(page).get_by_label("Show only rows with").fill('"n": 7,')
        rows.get_by_text('"n": 7,').wait_for()
        assert rows.count() == 1
        console(page).get_by_label("Show only rows with").fill("")
        last_is(f'"n": {most - 1}')
        console(page).get_by_label("Message").fill("still there?")
        console(page).get_by_label("Message").press("Enter")
        last_is("still there?")
        console(page).get_by_role("button", name="Close", exact=True).click()
        last_is("Closed by this console")


def test_keyboard_alone(opened: OpenPage) -> None:
    """From the first Tab on: each stop can be seen, and the way leads everywhere."""
    page = opened("/r01_setup")
    names = []
    for _ in range(200):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body) return ["", ""];
                const label = at.labels?.[0]?.textContent || at.ariaLabel;
                const style = getComputedStyle(at);
                return [label || at.textContent.trim(), style.outlineStyle];
            }"""
        )
        if not name:
            break
        assert outline not in {"none", ""}, name
        names.append(name)
    assert len(names) < 200
    wanted = ["All recipes", "Text", "Start", "Another console", "Address", "Connect"]
    wanted += ["Headers, subprotocols", "Frames of console 1", "Copy as Python"]
    for each in wanted:
        assert any(each in name for name in names), (each, names)
    page.locator("#tab-text").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel-code").is_visible()
    page.locator("#source", has_text="websocket").wait_for()


def test_every_field_has_a_name(opened: OpenPage) -> None:
    page = opened("/r07_oauth2")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button")]
            .filter(e => !e.labels?.length && !e.ariaLabel && !e.textContent.trim())
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_page(opened: OpenPage, width: int) -> None:
    for path in ("/", *(f"/{recipe}" for recipe in catalog.recipes())):
        page = opened(path)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.close()


def test_light_and_dark(opened: OpenPage) -> None:
    page = opened("/r01_setup")
    seen = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for place in ("body", ".command", "#panel-text pre"):
            colours = page.locator(place).first.evaluate(
                """at => {
                    const style = getComputedStyle(at);
                    return [style.color, style.backgroundColor];
                }"""
            )
            seen.append((scheme, place, *colours))
        ink, back = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in seen[-1][2:])
        assert (ink < back) == (scheme == "light"), seen


def test_links_between_texts_and_files(opened: OpenPage) -> None:
    page = opened("/r04_errors")
    page.locator("#panel-text").get_by_role("link", name="demo_http_codes.py").click()
    assert page.locator("#panel-code").is_visible()
    page.locator("#source", has_text="Proof that the numbers").wait_for()
    # The same link a second time, when the address leads there already.
    page.get_by_role("tab", name="Text").click()
    page.locator("#panel-text").get_by_role("link", name="demo_http_codes.py").click()
    page.locator("#panel-code").wait_for()
    page.get_by_role("tab", name="Text").click()
    page.locator("#panel-text").get_by_role("link", name="recipe 3").first.click()
    page.get_by_role("heading", name="Handling connections").wait_for()


def test_the_workbench_ends_and_comes_back(
    workbook: Path, context: "BrowserContext"
) -> None:
    first = Started(workbook)
    page = context.new_page()
    page.goto(first.url + "/r01_setup")
    page.locator("#link", has_text="Connected").wait_for()
    first.interrupt()
    page.get_by_text("The workbench is gone.").wait_for()
    second = Started(workbook, f"--port={first.host.rpartition(':')[2]}")
    try:
        page.get_by_text("started anew: reload this page").wait_for()
        page.reload()
        page.locator("#link", has_text="Connected").wait_for()
    finally:
        second.interrupt()
