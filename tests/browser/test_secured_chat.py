"""Recipe 7 in a real browser: the secured chat, and the attack on a careless site."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from recipes.workbench import catalog
from recipes.workbench.servers.server import AppServer

pytest.importorskip(
    "playwright", reason="pages are tested with tests/requirements.txt installed"
)
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

pytestmark = pytest.mark.slow

RECIPE = "r07_oauth2"
EXERCISE = f"recipes.{RECIPE}.exercise"


@pytest.fixture(scope="module")
def server() -> Iterator[AppServer]:
    if not catalog.solution(RECIPE).is_file():
        pytest.skip("the page of the exercise is tested where solutions/ is")
    server = AppServer(EXERCISE, catalog.solution(RECIPE))
    yield server
    server.kill()


@pytest.fixture
def other(browser: "Browser") -> Iterator["BrowserContext"]:
    """A second browser, with cookies of its own."""
    context = browser.new_context()
    yield context
    context.close()


def log_in(
    context: "BrowserContext", server: AppServer, name: str, password: str
) -> "Page":
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/chat")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    return page


def say(page: "Page", text: str) -> None:
    page.fill("#messageText", text)
    page.get_by_role("button", name="Send").click()


def last(page: "Page") -> "Locator":
    return page.locator("#messages li").last


def test_log_in_chat_and_log_out(
    context: "BrowserContext", other: "BrowserContext", server: AppServer
) -> None:
    john = log_in(context, server, "johndoe", "secret")
    jane = log_in(other, server, "janedoe", "secret2")
    for page, name in ((john, "johndoe"), (jane, "janedoe")):
        expect(page).to_have_url(re.compile(r"/chat$"))
        expect(page.locator("#ws-id")).to_have_text(name)
        expect(page.locator("#status")).to_have_text("Connected")
    # Whole, whatever a form or an address would make of it.
    for text in ("a & b + c = 100%", "名前?x=1&y=2#z", "<b>not bold</b>", "%2B%26"):
        say(john, text)
        expect(last(john)).to_have_text(f"You: {text}")
        expect(last(jane)).to_have_text(f"johndoe: {text}")
    expect(john.locator("#messages .waiting")).to_have_count(0)
    john.get_by_role("button", name="Log out").click()
    expect(john).to_have_url(re.compile(r"/login$"))
    expect(last(jane)).to_have_text("system: johndoe left the chat")
    john.goto(f"http://127.0.0.1:{server.port}/chat")
    expect(john).to_have_url(re.compile(r"/login\?next=/chat$"))
    assert context.cookies() == []


def test_a_wrong_password(context: "BrowserContext", server: AppServer) -> None:
    page = log_in(context, server, "johndoe", "a&b+c%")
    expect(page.get_by_role("alert")).to_have_text("Incorrect username or password")
    assert context.cookies() == []
    assert page.get_by_label("Password").input_value() == ""


def test_the_cookie_is_hidden_from_scripts(
    context: "BrowserContext", server: AppServer
) -> None:
    page = log_in(context, server, "johndoe", "secret")
    expect(page.locator("#ws-id")).to_have_text("johndoe")
    assert page.evaluate("document.cookie") == ""
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


@pytest.mark.parametrize(
    "target",
    [
        *("//evil.example", "///evil.example", "http:///evil.example"),
        *("javascript:alert(1)", "/\\evil.example", "/\t/evil.example"),
    ],
)
def test_next_stays_home(
    context: "BrowserContext", server: AppServer, target: str
) -> None:
    page = context.new_page()
    home = f"http://127.0.0.1:{server.port}"
    page.goto(f"{home}/login")
    page.locator("[name=next]").evaluate("(e, value) => e.value = value", target)
    page.get_by_label("Name").fill("johndoe")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#ws-id")).to_have_text("johndoe")
    assert page.url == f"{home}/chat"


# Opens the chat's socket from whatever page it is run in.
OPEN = """port => new Promise(resolve => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat/ws`);
  socket.onopen = () => resolve("open");
  socket.onclose = event => resolve(event.code);
})"""


def test_a_foreign_page_cannot_open_the_socket(
    context: "BrowserContext", server: AppServer
) -> None:
    page = log_in(context, server, "johndoe", "secret")
    expect(page.locator("#status")).to_have_text("Connected")
    assert page.evaluate(OPEN, server.port) == "open"
    foreign = AppServer("recipes.r07_oauth2.attack_cswsh")
    try:
        page.goto(f"http://127.0.0.1:{foreign.port}/")
        # All that a browser tells of a refusal.
        assert page.evaluate(OPEN, server.port) == 1006
    finally:
        foreign.kill()


def test_the_attack(context: "BrowserContext") -> None:
    site, foreign = (AppServer("recipes.r07_oauth2.attack_cswsh") for _ in range(2))
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{site.port}/")
        page.get_by_label("Nickname").fill("ada")
        page.get_by_role("button").click()
        evil = f"http://127.0.0.1:{foreign.port}/evil?site=127.0.0.1:{site.port}"
        page.goto(evil)
        expect(page.locator("li", has_text="unchecked: ")).to_have_text(
            "unchecked: The secrets of ada"
        )
        expect(page.locator("li", has_text=re.compile("^checked"))).to_have_text(
            "checked: refused"
        )
    finally:
        site.kill()
        foreign.kill()


def test_a_token_that_expires(context: "BrowserContext", server: AppServer) -> None:
    server = AppServer(EXERCISE, catalog.solution(RECIPE), {"TOKEN_SECONDS": 2})
    try:
        page = log_in(context, server, "johndoe", "secret")
        expect(page.locator("#status")).to_have_text("Connected")
        page.fill("#messageText", "half a sent")
        expect(page).to_have_url(re.compile("/login"))
        page.get_by_label("Name").fill("johndoe")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#messageText")).to_have_value("half a sent")
    finally:
        server.kill()


def test_another_user_logs_in_meanwhile(
    context: "BrowserContext", server: AppServer
) -> None:
    first = log_in(context, server, "johndoe", "secret")
    expect(first.locator("#status")).to_have_text("Connected")
    second = context.new_page()
    second.goto(f"http://127.0.0.1:{server.port}/login")
    second.get_by_label("Name").fill("janedoe")
    second.get_by_label("Password").fill("secret2")
    second.get_by_role("button", name="Log in").click()
    expect(second.locator("#ws-id")).to_have_text("janedoe")
    # The first page's socket ends, and what it comes back as is janedoe's page.
    first.evaluate("socket.close()")
    expect(first.locator("#ws-id")).to_have_text("janedoe")


def test_a_proxy_whose_server_is_away(context: "BrowserContext") -> None:
    """A 502 is no login page: the page waits, and comes back."""
    settings = {"JWT_SECRET": "the same before and after the restart"}
    server = AppServer(EXERCISE, catalog.solution(RECIPE), settings)
    port = server.port
    page = log_in(context, server, "johndoe", "secret")
    expect(page.locator("#status")).to_have_text("Connected")
    page.fill("#messageText", "half a sent")
    server.kill()
    asked = threading.Event()

    class BadGateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(502)
            asked.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", port), BadGateway) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        assert asked.wait(10)
        proxy.shutdown()
        thread.join(5)
    server = AppServer(EXERCISE, catalog.solution(RECIPE), settings, port=port)
    try:
        expect(page.locator("#status")).to_have_text("Connected")
        expect(page.locator("#messageText")).to_have_value("half a sent")
    finally:
        server.kill()


def test_a_logout_ends_the_other_tabs(
    context: "BrowserContext", server: AppServer
) -> None:
    one = log_in(context, server, "johndoe", "secret")
    expect(one.locator("#status")).to_have_text("Connected")
    two = context.new_page()
    two.goto(f"http://127.0.0.1:{server.port}/chat")
    expect(two.locator("#status")).to_have_text("Connected")
    one.get_by_role("button", name="Log out").click()
    expect(two).to_have_url(re.compile(r"/login\?next=/chat$"))


# Sends a form from whatever page it is run in.
POST = """([url, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""


def test_a_foreign_page_sends_no_forms(
    context: "BrowserContext", server: AppServer
) -> None:
    home = f"http://127.0.0.1:{server.port}"
    foreign = AppServer("recipes.r07_oauth2.attack_cswsh")
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{foreign.port}/")
        jane = {"username": "janedoe", "password": "secret2"}
        with page.expect_navigation() as sent:
            page.evaluate(POST, [f"{home}/login", jane])
        assert sent.value is not None
        assert sent.value.status == 403
        assert context.cookies() == []
        john = log_in(context, server, "johndoe", "secret")
        expect(john.locator("#status")).to_have_text("Connected")
        page.goto(f"http://127.0.0.1:{foreign.port}/")
        with page.expect_navigation() as sent:
            page.evaluate(POST, [f"{home}/logout", {}])
        assert sent.value is not None
        assert sent.value.status == 403
        assert len(context.cookies()) == 1
        say(john, "Still here")
        expect(last(john)).to_have_text("You: Still here")
    finally:
        foreign.kill()


def test_a_foreign_page_shows_ours_in_no_frame(
    context: "BrowserContext", server: AppServer
) -> None:
    john = log_in(context, server, "johndoe", "secret")
    expect(john.locator("#status")).to_have_text("Connected")
    foreign = AppServer("recipes.r07_oauth2.attack_cswsh")
    try:
        john.goto(f"http://127.0.0.1:{foreign.port}/")
        for path in ("chat", "login"):
            john.evaluate(
                """url => new Promise(resolve => {
                  const frame = document.createElement("iframe");
                  frame.src = url;
                  frame.onload = resolve;
                  document.body.append(frame);
                })""",
                f"http://127.0.0.1:{server.port}/{path}",
            )
            assert john.frames[-1].url.startswith("chrome-error:")
    finally:
        foreign.kill()
