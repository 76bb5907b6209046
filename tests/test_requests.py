"""Plain requests of a console: what they send, what they refuse, what they mean."""

import asyncio
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest

from recipes.workbench.consoles import meaning
from recipes.workbench.consoles.request import LONGEST, Answer, ask, body_of
from recipes.workbench.consoles.target import Target
from recipes.workbench.consoles.wire import why_no_answer
from recipes.workbench.refusal import Refusal
from tests.helpers.pages import served


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent; /far leads away, /long has no end in sight."""

    def do_GET(self) -> None:
        self.answer(b"x" * (LONGEST + 9) if self.path == "/long" else b"got")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(self.headers["Content-Type"].encode() + b" " + data)

    def answer(self, body: bytes) -> None:
        self.send_response(303 if self.path == "/far" else 200)
        self.send_header("Location", "http://evil.example/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Echo) as server, served(server) as port:
        yield f"http://127.0.0.1:{port}"


def asked(method: str, url: str, body: str = "", json: bool = False) -> Answer:
    form = ask(method, Target(url), body, "json" if json else "form", False)
    return asyncio.run(form)


def test_get_and_post(address: str) -> None:
    assert asked("GET", address, "ignored").body == "got"
    form = asked("POST", address, "name=a b&x=1\ny=ä")
    assert form.body == "application/x-www-form-urlencoded name=a+b&x=1&y=%C3%A4"
    assert asked("POST", address, "[1]", json=True).body == "application/json [1]"


def test_answers_are_bounded_and_not_followed(address: str) -> None:
    away = asked("GET", f"{address}/far")
    assert away.status == "303 See Other"
    assert ("Location", "http://evil.example/") in away.headers
    long = asked("GET", f"{address}/long")
    assert (len(long.body), long.left_out) == (LONGEST, True)


@pytest.mark.parametrize(
    ("url", "about", "said"),
    [
        ("http://evil.example/", "url", "not on this machine"),
        ("ws://127.0.0.1:1/", "url", "begins with http:// or https://"),
        ("http://127.0.0.1:1/", "url", "Nobody answers"),
    ],
)
def test_what_is_not_asked(url: str, about: str, said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        asked("GET", url)
    assert refused.value.about == about


def test_a_wrong_address_is_told_without_words_of_python(address: str) -> None:
    with pytest.raises(Refusal, match="No TLS is spoken there: https://"):
        asked("GET", address.replace("http:", "https:"))
    error = httpx2.ConnectError("[Errno -2] Name or service not known")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert why_no_answer(error, "http://nowhere.example/a") == (
        "There is no host named nowhere.example."
    )
    garbage = httpx2.RemoteProtocolError("illegal status line: bytearray(b'garbage')")
    assert "does not answer in HTTP" in why_no_answer(garbage, address)
    assert "in time" in why_no_answer(TimeoutError(), address)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "no JSON"])
def test_a_body_that_is_no_json(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        body_of(text, "json")
    assert refused.value.about == "body"


def test_what_an_end_means() -> None:
    assert "rule was broken" in meaning.of_code(1008)
    assert "app's own" in meaning.of_code(4001)
    assert meaning.of_code(3999) == ""
    assert "no token" in meaning.of_refusal(401)
    assert meaning.of_refusal(418) == ""
