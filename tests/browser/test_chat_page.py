"""Recipe 5's page in a real browser."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from recipes.workbench.servers.server import AppServer

pytest.importorskip(
    "playwright", reason="pages are tested with tests/requirements.txt installed"
)
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Dialog, Locator, Page

pytestmark = pytest.mark.slow

# As a learner may name people; `<b>x</b>` and a script tag have a `/`, see below.
STRANGE = ['a"b', "O'Brien", "a#b", "a\\b", "a?b&c", "<b>x", "<script>alert(1)", "名前"]


@pytest.fixture(scope="module")
def server() -> Iterator[AppServer]:
    server = AppServer("recipes.r05_chat.main")
    yield server
    server.kill()


def enter(context: "BrowserContext", port: int, name: str) -> "Page":
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/chatroom/{quote(name, safe='')}")
    expect(page.locator("#status")).to_have_text("Connected")
    return page


def say(page: "Page", text: str) -> None:
    page.fill("#messageText", text)
    page.press("#messageText", "Enter")


def last(page: "Page") -> "Locator":
    return page.locator("#messages li").last


def test_two_pages_talk(context: "BrowserContext", server: AppServer) -> None:
    ada, bob = (enter(context, server.port, name) for name in ("ada", "bob"))
    expect(ada.locator("#ws-id")).to_have_text("ada")
    expect(last(ada)).to_have_text("system: bob joined the chat")
    ada.fill("#messageText", "Hello & <i>welcome</i>")
    ada.get_by_role("button", name="Send").click()
    for page, sender in ((ada, "You"), (bob, "ada")):
        expect(last(page)).to_have_text(f"{sender}: Hello & <i>welcome</i>")
    expect(ada.locator("#messageText")).to_have_value("")
    expect(ada.locator("#messageText")).to_be_focused()
    bob.close()
    expect(last(ada)).to_have_text("system: bob left the chat")


@pytest.mark.parametrize("name", STRANGE)
def test_names_are_text(
    context: "BrowserContext", server: AppServer, name: str
) -> None:
    ada = enter(context, server.port, "ada")
    page = enter(context, server.port, name)
    expect(page.locator("#ws-id")).to_have_text(name)
    expect(last(ada)).to_have_text(f"system: {name} joined the chat")
    say(page, f"I am {name}</li><script>alert(2)</script>")
    text = f"{name}: I am {name}</li><script>alert(2)</script>"
    expect(last(ada)).to_have_text(text)
    assert ada.locator("#messages script, #messages b").count() == 0


@pytest.mark.parametrize("name", ["<b>x</b>", "<script>alert(1)</script>", "System"])
def test_refused_names_have_no_page(
    context: "BrowserContext", server: AppServer, name: str
) -> None:
    page = context.new_page()
    answer = page.goto(f"http://127.0.0.1:{server.port}/chatroom/{quote(name, '')}")
    assert answer is not None
    assert answer.status in {404, 422}


def test_a_restart(context: "BrowserContext") -> None:
    server = AppServer("recipes.r05_chat.main")
    port = server.port
    ada, bob = (enter(context, port, name) for name in ("ada", "bob"))
    say(ada, "before")
    expect(last(bob)).to_have_text("ada: before")
    # Killed before ada's own copy is there, the page would send it again.
    expect(ada.locator("#messages .waiting")).to_have_count(0)
    server.kill()
    expect(ada.locator("#status")).to_have_text(re.compile("Disconnected"))
    expect(bob.locator("#status")).to_have_text(re.compile("Disconnected"))
    for text in ("first", "second"):
        say(ada, text)
        expect(last(ada)).to_have_text(f"You: {text}")
        expect(last(ada)).to_have_class("waiting")
    ada.fill("#messageText", "half a sent")
    server = AppServer("recipes.r05_chat.main", port=port)
    try:
        # Whoever comes back first: bob's page, another one, hears nobody's past.
        expect(bob.locator("#status")).to_have_text("Connected")
        expect(ada.locator("#status")).to_have_text("Connected")
        expect(ada.locator("#messages .waiting")).to_have_count(0)
        expect(ada.locator("#messageText")).to_have_value("half a sent")
        say(ada, "after")
        expect(last(bob)).to_have_text("ada: after")
        own = ada.locator("#messages li", has_text="You: ").all_inner_texts()
        assert own == [f"You: {t}" for t in ("before", "first", "second", "after")]
        said = [message for _, message in server.log() if "says" in message]
        assert said == [f"ada says: {t}" for t in ("first", "second", "after")]
    finally:
        server.kill()


def test_what_may_be_lost_is_said(context: "BrowserContext") -> None:
    server = AppServer("recipes.r05_chat.main")
    port = server.port
    ada = enter(context, port, "ada")
    asked: list[str] = []

    def stay(dialog: "Dialog") -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    ada.on("dialog", stay)
    server.kill()
    expect(ada.locator("#status")).to_have_text(re.compile("Disconnected"))
    say(ada, "not to be lost")
    # The page asks, and stays if its user wants to.
    ada.evaluate("() => { location.reload(); }")
    expect(last(ada)).to_have_class("waiting")
    ada.evaluate("() => 1")
    assert asked == ["beforeunload"]
    server = AppServer("recipes.r05_chat.main", port=port)
    try:
        expect(last(ada)).to_have_text(re.compile("^system: Back again; "))
        expect(ada.locator("#messages .waiting")).to_have_count(0)
        ada.reload()
        expect(ada.locator("#messages li")).to_have_count(0)
        assert asked == ["beforeunload"]
    finally:
        server.kill()


def test_too_long_a_message(context: "BrowserContext", server: AppServer) -> None:
    ada = enter(context, server.port, "ada")
    say(ada, "é" * 32_769)
    expect(last(ada)).to_have_text("system: This message is too long")
    assert len(ada.input_value("#messageText")) == 32_769
    expect(ada.locator("#status")).to_have_text("Connected")


def test_keyboard_and_screen_reader(
    context: "BrowserContext", server: AppServer
) -> None:
    page = enter(context, server.port, "ada")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("typed")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(last(page)).to_have_text("You: typed")
    assert page.get_by_role("log").get_attribute("aria-live") == "polite"
    expect(page.get_by_role("status")).to_have_text("Connected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(800, 420), (360, 560)])
def test_it_fits(
    context: "BrowserContext",
    server: AppServer,
    tmp_path: Path,
    scheme: str,
    width: int,
    height: int,
) -> None:
    page = enter(context, server.port, "x" * 32)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": height})
    for text in ("long" * 100, "and", *"many"):
        say(page, text)
    expect(last(page)).to_have_text("You: y")
    inside = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(inside), "there is something to scroll to the right"
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(ink, paper) > 7
    page.screenshot(path=tmp_path / f"{scheme}-{width}.png")


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, 1.4.3)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [
            p / 12.92 if p <= 0.04 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_mounted_in_another_app(context: "BrowserContext", tmp_path: Path) -> None:
    outer = tmp_path / "outer.py"
    outer.write_text(
        "from fastapi import FastAPI\n"
        "from recipes.r05_chat.main import app as chat\n"
        "app = FastAPI()\n"
        "app.mount('/deep/inside', chat)\n"
    )
    server = AppServer("outer", outer)
    try:
        page = context.new_page()
        page.goto(f"http://localhost:{server.port}/deep/inside/chatroom/ada?a=1#b")
        say(page, "hello")
        expect(last(page)).to_have_text("You: hello")
        expect(page.locator("#messages .waiting")).to_have_count(0)
    finally:
        server.kill()


NGINX = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    location /some/prefix/ {{
      proxy_pass http://127.0.0.1:{behind}/;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


def test_behind_a_proxy_with_tls_and_a_prefix(
    context: "BrowserContext", server: AppServer, tmp_path: Path
) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("the page behind a proxy is tested where nginx is installed")
    import trustme

    folder = tmp_path / "nginx"
    folder.mkdir()
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, behind=server.port))
    proxy = subprocess.Popen(
        [nginx, "-e", "stderr", "-p", str(folder), "-c", str(config)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        page = context.new_page()
        address = f"https://127.0.0.1:{port}/some/prefix/chatroom/ada"
        for _ in range(50):  # until nginx listens
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            page.wait_for_timeout(100)
        page.goto(address)
        expect(page.locator("#status")).to_have_text("Connected")
        say(page, "hello")
        expect(last(page)).to_have_text("You: hello")
        expect(page.locator("#messages .waiting")).to_have_count(0)
    finally:
        proxy.terminate()
        _, log = proxy.communicate(timeout=10)
    assert "emerg" not in log, log
