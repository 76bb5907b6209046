"""`python -m recipes`: the page's server, its guards and its calls; no browser."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve
from websockets.utils import accept_key

from recipes.workbench import catalog
from recipes.workbench.consoles.exchange import Exchange, conversation
from recipes.workbench.consoles.offers import offers, pages, users
from recipes.workbench.consoles.target import Target, checked
from recipes.workbench.page import render
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers import child
from recipes.workbench.servers.apps import MOST_SERVERS, apps
from recipes.workbench.tail import Tail
from tests.helpers.pages import BOUND, Live, Started, copy_of_the_workbook, run, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_workbook(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def started(workbook: Path) -> Iterator[Started]:
    started = Started(workbook)
    yield started
    started.end()


@pytest.fixture
def live(started: Started) -> Iterator[Live]:
    """A page on recipe 4."""
    with started.page("r04_errors") as live:
        yield live


# The command


def test_ctrl_c_ends_all_that_was_started(workbook: Path) -> None:
    started = Started(workbook)
    try:
        with started.page("r03_disconnects") as live:
            # It never receives: Ctrl-C alone would wait for its client for ever.
            port = live.start("demo_deaf")["port"]
            live.connect(f"ws://127.0.0.1:{port}/ws")
            live.news("console", lambda news: news["state"] == "open")
            said = started.interrupt()
            with pytest.raises(ConnectionClosed):
                live.news("nothing")
        assert "Ended." in said
        assert "Traceback" not in said
        assert started.process.returncode == 0
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port))
    finally:
        started.end()


def test_killed_it_leaves_no_server_behind(workbook: Path) -> None:
    started = Started(workbook)
    with started.page("r01_setup") as live:
        port = live.start("main")["port"]
        started.end()
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)):
                return
    pytest.fail("The server still listens.")


def test_busy_port(workbook: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = run(workbook, "--no-browser", f"--port={port}")
    assert status == 1
    assert f"Port {port} cannot be had" in said
    offered = re.search(r"Port (\d+) is free: python -m recipes --port \1", said)
    assert offered
    assert int(offered[1]) > port
    assert "Traceback" not in said


def test_busy_port_in_a_terminal(workbook: Path) -> None:
    """There it asks; Enter takes the port that it offers."""
    pty = pytest.importorskip("pty", reason="Windows has no such terminals")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ours, its = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "recipes", "--no-browser", f"--port={port}"],
            cwd=workbook,
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            try:
                os.write(ours, b"\n")
                said = process.stdout.readline() + process.stdout.readline()
                assert re.search(
                    rb"Use \d+\? \[Y/n\].*The workbook is at http", said, re.S
                )
            finally:
                process.terminate()
                process.communicate(timeout=BOUND)
                os.close(ours)
                os.close(its)


def test_without_the_requirements(workbook: Path) -> None:
    """The virtual environment is not active: a sentence, not a traceback."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "recipes"],
        cwd=workbook,
        capture_output=True,
        encoding="utf-8",
        timeout=BOUND,
    )
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_help(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    status, said = run(workbook, "--help")
    assert status == 0
    for word in ("--port", "--no-browser", "--allow-remote", "progress", "watch"):
        assert word in said


# Safe: nobody but its own page


def test_foreign_host(started: Started) -> None:
    """DNS rebinding: a foreign name that leads to this machine."""
    port = started.host.partition(":")[2]
    assert started.get("/").status_code == 200
    assert started.get("/", Host=f"localhost:{port}").status_code == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1"):
        assert started.get("/", Host=host).status_code == 403
        assert "token" not in started.get("/", Host=host).text
    # The name in the address decides Host; the connection still leads here.
    sock = socket.create_connection(("127.0.0.1", int(port)))
    origin: Any = f"http://evil.example:{port}"
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://evil.example:{port}/live", sock=sock, origin=origin)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://{}"]
)
def test_foreign_origin(started: Started, origin: str | None) -> None:
    """Cross-site WebSocket hijacking, and a request from a foreign page."""
    origin = origin and origin.format(started.host)
    with pytest.raises(InvalidStatus) as refused:
        started.socket(origin=origin)
    assert refused.value.response.status_code == 403
    if origin:
        assert started.get("/", Origin=origin).status_code == 403


def test_own_origin_under_the_other_name(started: Started) -> None:
    """The page at localhost is not the page at 127.0.0.1."""
    port = started.host.partition(":")[2]
    with pytest.raises(InvalidStatus):
        started.socket(origin=f"http://localhost:{port}")


@pytest.mark.parametrize(
    "call",
    [
        {"do": "start", "app": "main"},
        {"do": "connect", "console": 1, "url": "ws://127.0.0.1:9/ws"},
        {"do": "open", "recipe": "r01_setup"},
    ],
    ids=lambda call: str(call["do"]),
)
def test_wrong_token(started: Started, call: dict[str, Any]) -> None:
    with started.socket() as socket:
        socket.send(json.dumps(call | {"token": "guessed"}))
        with pytest.raises(ConnectionClosed):
            socket.recv(BOUND)
        assert socket.close_code == 1008


def test_bad_calls_have_an_answer(live: Live) -> None:
    live.news("app")
    for text in ("", "no JSON", "[]", "{}", '{"do": "fly"}', "[" * 60_000, '"\\ud800"'):
        live.socket.send(text)
        assert live.news("trouble")["sentence"].startswith("Not understood")
    for call in (
        {"what": "start", "app": "../../../etc/passwd"},
        {"what": "start", "app": "main", "settings": "no setting"},
        {"what": "start", "app": "main", "settings": "A='"},
        {"what": "open", "recipe": "../r01_setup"},
        {"what": "send", "console": 1, "kind": "text", "data": "x"},
        {"what": "connect", "console": 1, "url": "http://127.0.0.1/"},
        {"what": "copy", "console": 2, "form": "python"},
        {"what": "token", "console": 1, "url": "ws://127.0.0.1:9/", "user": 7},
    ):
        live.call(**call)
        assert live.news("trouble")["sentence"]
    live.socket.send(b"\x00")
    with pytest.raises(ConnectionClosed):
        live.news("nothing")
    assert live.socket.close_code == 1003


def test_pages_hold_nothing_foreign(started: Started) -> None:
    recipes = catalog.recipes()
    paths = ["/", *render.TEXTS, *(f"/{recipe}" for recipe in recipes)]
    paths += [
        f"/{r}/more" for r in recipes if (catalog.RECIPES / r / "more.md").exists()
    ]
    for path in paths:
        answer = started.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        for tag in re.findall("<(?:script|link|img|iframe)[^>]*>", answer.text):
            target = re.search('(?:src|href)="([^"]*)"', tag)
            assert target, tag
            assert re.match("/(?!/)", target[1]), tag
            assert started.get(target[1]).status_code == 200, tag
        assert " style=" not in answer.text
        assert not re.search(r" on\w+=", answer.text)


def test_only_files_of_the_recipe(started: Started) -> None:
    assert "websocket" in started.get("/r01_setup/files/main.py").text
    for path in (
        "/r01_setup/files/..%2f..%2fREADME.md",
        "/r01_setup/files/README.md",
        "/r01_setup/images/..%2fmain.py",
        "/workbench",
        "/workbench/files/page/app.py",
        "/docs",
        "/openapi.json",
    ):
        assert started.get(path).status_code == 404, path


@pytest.mark.parametrize(
    "url",
    [
        "ws://example.org/",
        "ws://192.168.0.1/",
        "ws://169.254.169.254/",
        "ws://[fe80::1]/",
        "ws://localhost.evil.example/",
        "ws://127.0.0.1@evil.example/",
        "ws://evil.example#@127.0.0.1/",
        "ws://evil.example\\@127.0.0.1/",
        "ws://2130706433/",
        "ws://0.0.0.0/",
    ],
)
def test_consoles_stay_on_this_machine(url: str) -> None:
    with pytest.raises(Refusal):
        checked(Target(url), allow_remote=False)


def test_consoles_go_anywhere_if_told_so() -> None:
    assert checked(Target("wss://example.org/ws"), allow_remote=True)
    for url in ("ws://127.0.0.1:8000/ws", "ws://localhost/", "ws://[::1]:9/"):
        assert checked(Target(url), allow_remote=False)


def test_a_redirect_is_shown_not_followed(live: Live) -> None:
    class Redirect(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "ws://evil.example/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirect) as server, served(server) as port:
        live.connect(f"ws://127.0.0.1:{port}/")
        end = live.end_of()
    assert end["kind"] == "refused"
    assert end["status"] == "302 Found"


@pytest.mark.parametrize(
    "headers",
    [
        "no colon",
        "Bad name: x",
        "X: a\x00b",
        "Host: evil",
        "Sec-WebSocket-Key: x",
        "X: ☃",
    ],
)
def test_headers_that_cannot_be_sent(live: Live, headers: str) -> None:
    live.connect("ws://127.0.0.1:9/ws", headers=headers)
    assert live.news("trouble")["sentence"]


# Servers


def test_start_restart_on_save_stop(workbook: Path, started: Started) -> None:
    with started.page("r01_setup") as live:
        running = live.start("main")
        assert running["state"] == "running"
        port = running["port"]
        assert [offer["path"] for offer in running["offers"]] == ["/ws"]
        live.connect(f"ws://127.0.0.1:{port}/ws")
        assert live.end_of() == {
            "kind": "closed",
            "by": "server",
            "code": 1000,
            "name": "Normal Closure",
            "reason": "",
            "why": "finished",
        }
        assert [(f["sent"], f["kind"], f.get("text")) for f in live.frames[1]] == [
            (False, "text", "Welcome to the chat room!"),
            (False, "close", "1000 Normal Closure"),
            (True, "close", "1000 Normal Closure"),
        ]
        main = workbook / "recipes" / "r01_setup" / "main.py"
        text = main.read_text(encoding="utf-8")
        main.write_text(text.replace("Welcome", "Greetings"), encoding="utf-8")
        live.news("app", lambda news: news["state"] == "starting")
        again = live.news("app", lambda news: news["state"] == "running")
        assert again["port"] == port
        assert "--- saved main.py: restarting" in live.lines["main"]
        live.connect(f"ws://127.0.0.1:{port}/ws", console=2)
        live.end_of(2)
        assert live.frames[2][0]["text"] == "Greetings to the chat room!"
        # Broken by a save, it says why; mended by the next, it serves again.
        main.write_text("import nothing_like_that", encoding="utf-8")
        failed = live.news("app", lambda news: news["state"] == "failed")
        assert "No module named 'nothing_like_that'" in failed["sentence"]
        log = "\n".join(live.lines["main"])
        assert "Traceback (most recent call last)" in log
        assert "child.py" not in log
        main.write_text(text, encoding="utf-8")
        live.news("app", lambda news: news["state"] == "running")
        live.call("stop", app="main")
        live.news("app", lambda news: news["state"] == "stopped")
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port))


def test_a_page_with_parameters_can_be_opened(started: Started) -> None:
    with started.page("r05_chat") as live:
        main = live.start("main")
        assert main["pages"] == ["/chatroom/ada"]
        page = f"http://127.0.0.1:{main['port']}{main['pages'][0]}"
        assert httpx2.get(page, trust_env=False).status_code == 200
        live.call("stop", app="main")
        live.state("main", "stopped")


def test_settings_reach_the_app(live: Live, started: Started) -> None:
    with started.page("r03_disconnects") as live:
        running = live.start("ticks", "TICK_SECONDS=0.01")
        assert running["settings"] == "TICK_SECONDS=0.01"
        live.connect(f"ws://127.0.0.1:{running['port']}/ws/ticks")
        while not any(f.get("text") == "tick 20" for f in live.frames.get(1, [])):
            live.news("frames")
        live.call("stop", app="ticks")
        live.news("app", lambda n: n["app"] == "ticks" and n["state"] == "stopped")


def test_an_app_that_ends_itself(workbook: Path, started: Started) -> None:
    file = workbook / "recipes" / "r02_send_receive" / "demo_suicide.py"
    file.write_text(
        "import os, threading\n"
        "from fastapi import FastAPI\n"
        "app = FastAPI()\n"
        "@app.get('/end')\n"
        "def end() -> None:\n"
        "    os._exit(3)\n",
        encoding="utf-8",
    )
    try:
        with started.page("r02_send_receive") as live:
            port = live.start("demo_suicide")["port"]
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /end HTTP/1.1\r\nHost: x\r\n\r\n")
                failed = live.news("app", lambda n: n["state"] == "failed")
            assert "ended by itself" in failed["sentence"]
            assert live.start("demo_suicide")["state"] == "running"
            live.call("stop", app="demo_suicide")
            live.news("app", lambda n: n["state"] == "stopped")
    finally:
        file.unlink()


HOOKED = """
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    def handle(number: int, frame: object) -> None:
        print("SIGTERM it was", flush=True)
        before(number, frame)
    signal.signal(signal.SIGTERM, handle)
    yield

app = FastAPI(lifespan=lifespan)
"""


def test_stop_is_a_sigterm_for_an_app_that_handles_it(
    workbook: Path, started: Started
) -> None:
    file = workbook / "recipes" / "r07_oauth2" / "demo_hooked.py"
    file.write_text(HOOKED, encoding="utf-8")
    try:
        with started.page("r07_oauth2") as live:
            live.start("demo_hooked")
            live.call("stop", app="demo_hooked")
            live.state("demo_hooked", "stopped")
            assert "SIGTERM it was" in live.lines["demo_hooked"]
    finally:
        file.unlink()


def test_too_many_servers(started: Started) -> None:
    with started.page("r06_benchmarking") as live:
        names = list(apps("r06_benchmarking"))[: MOST_SERVERS - 1]
        assert len(names) == MOST_SERVERS - 1
        for name in names:
            live.call("start", app=name)
        for name in names:
            live.state(name, "running")
        with started.page("r01_setup") as other:
            other.start("main")
            other.call("start", app="exercise")
            assert f"{MOST_SERVERS} servers run" in other.news("trouble")["sentence"]
            other.call("stop", app="main")
            other.news("app", lambda news: news["state"] == "stopped")
        for name in names:
            live.call("stop", app=name)
            live.state(name, "stopped")


# Consoles


def test_refused_and_closed(live: Live) -> None:
    port = live.start("step1_close_codes")["port"]
    live.connect(f"ws://127.0.0.1:{port}/ws")
    refused = live.end_of()
    assert refused["kind"] == "refused"
    assert refused["status"] == "403 Forbidden"
    assert ["Content-Length", "0"] in refused["headers"]
    live.connect(f"ws://127.0.0.1:{port}/ws", headers="Authorization: x")
    live.news("console", lambda news: news["state"] == "open")
    live.send("text", "disconnect")
    assert live.end_of()["reason"] == "Disconnecting..."
    port = live.start("demo_http_codes")["port"]
    live.connect(f"ws://127.0.0.1:{port}/http-before")
    refused = live.end_of()
    assert refused["status"] == "401 Unauthorized"
    assert json.loads(refused["body"]) == {"detail": "Unauthorized"}
    live.connect(f"ws://127.0.0.1:{port}/exception-after")
    assert live.end_of()["code"] == 1006
    port = live.start("main")["port"]
    live.connect(f"ws://127.0.0.1:{port}/ws")
    live.news("console", lambda news: news["state"] == "open")
    live.send("text", "a bad message")
    end = live.end_of()
    assert (end["by"], end["code"], end["name"]) == ("server", 1008, "Policy Violation")
    assert end["reason"] == "Inappropriate message"
    live.connect("ws://127.0.0.1:9/ws")
    assert "Nobody listens there" in live.end_of()["sentence"]


def test_all_that_can_be_sent(started: Started) -> None:
    with started.page("r02_send_receive") as live:
        port = live.start("main")["port"]

        def connect(path: str) -> None:
            live.connect(f"ws://127.0.0.1:{port}{path}")
            live.news("console", lambda news: news["state"] == "open")
            live.frames.clear()

        def received(n: int) -> list[dict[str, Any]]:
            while len([f for f in live.frames.get(1, []) if not f["sent"]]) < n:
                live.news("frames")
            return [f for f in live.frames[1] if not f["sent"]]

        connect("/ws/json")
        live.send("json", "no JSON")
        assert "no JSON" in live.news("trouble")["sentence"]
        live.send("json", '{"a": [1]}')
        assert json.loads(received(1)[0]["text"]) == {"received": {"a": [1]}}
        live.send("ping", "are you there?")
        assert received(2)[1]["kind"] == "pong"
        assert received(2)[1]["hex"] == b"are you there?".hex(" ")
        live.send("close", "x" * 124)
        assert "123 bytes" in live.news("trouble")["sentence"]
        live.send("close", "", code=1006)
        assert "cannot be sent" in live.news("trouble")["sentence"]
        live.send("close", "enough", code=4001)
        end = live.end_of()
        assert (end["by"], end["code"], end["reason"]) == ("client", 4001, "enough")
        connect("/ws/binary")
        live.send("binary", "0")
        assert "hexadecimal" in live.news("trouble")["sentence"]
        live.send("binary", "00 01 ff")
        assert received(1)[0]["hex"] == "00 01 ff"
        live.send("binary", "ab" * 5000)
        assert received(2)[1]["size"] == 5000
        assert received(2)[1]["left_out"] == 1000
        live.send("cut")
        end = live.end_of()
        assert (end["by"], end["code"]) == ("client", 1006)
        live.call("stop", app="main")
        live.news("app", lambda news: news["state"] == "stopped")


def test_pings_that_are_received(live: Live) -> None:
    def pinging(socket: ServerConnection) -> None:
        socket.ping(b"from the server")
        socket.recv(BOUND)

    with serve(pinging, "127.0.0.1", 0) as server, served(server) as port:
        live.connect(f"ws://127.0.0.1:{port}/")
        live.news("frames", lambda n: any(f["kind"] == "pong" for f in n["frames"]))
        assert [(f["sent"], f["kind"]) for f in live.frames[1]] == [
            (False, "ping"),
            (True, "pong"),
        ]
        live.send("text", "done")
        live.end_of()


def test_a_server_that_does_not_answer(live: Live) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        live.connect(f"ws://127.0.0.1:{silent.getsockname()[1]}/ws")
        live.news("console", lambda news: news["state"] == "connecting")
        peer, _ = silent.accept()
        peer.recv(4096)
        peer.sendall(b"no HTTP\r\n\r\n")
        peer.close()
        assert "does not answer in HTTP" in live.end_of()["sentence"]


@pytest.mark.parametrize(
    "frame", [b"\x88\x02\x03\xe8", b"\xff\x00"], ids=["close", "junk"]
)
def test_a_server_that_closes_and_stays(live: Live, frame: bytes) -> None:
    """It has closed, or broken the protocol, and keeps the TCP connection up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        live.connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        peer, _ = listener.accept()
        with peer:
            switch(peer)
            peer.sendall(frame)
            assert live.end_of()["code"] in {1000, 1002}


def test_close_at_a_server_that_never_reads(live: Live) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        live.connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        peer, _ = listener.accept()
        with peer:
            switch(peer)
            live.news("console", lambda news: news["state"] == "open")
            for _ in range(20):
                live.send("text", "x" * 900_000)
            live.send("close")
            assert live.end_of()["kind"] == "closed"


def switch(peer: socket.socket) -> None:
    """The server's side of a handshake, RFC 6455 §4.2.2, by hand."""
    request = peer.recv(4096).decode()
    key = re.search("Sec-WebSocket-Key: (.*)\r", request)
    assert key
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_key(key[1])}"]
    peer.sendall("\r\n".join([*lines, "", ""]).encode())


def test_a_flood_is_bounded_and_told(live: Live) -> None:
    """60,000 frames as fast as they come: all shown, or said to be left out."""
    most = 60_000

    def flood(socket: ServerConnection) -> None:
        for n in range(most):
            socket.send(str(n))

    with (
        serve(flood, "127.0.0.1", 0, compression=None) as server,
        served(server) as port,
    ):
        live.connect(f"ws://127.0.0.1:{port}/")
        shown, left_out, last = 0, 0, ""
        while last != str(most - 1):
            news = live.news("frames")
            texts = [f["text"] for f in news["frames"] if f["kind"] == "text"]
            shown, left_out = shown + len(texts), left_out + news["left_out"]
            last = texts[-1] if texts else last
        assert shown + left_out == most
        live.end_of()


def test_half_a_surrogate_pair_is_shown(live: Live) -> None:
    """JSON may hold one; UTF-8 may not."""

    def odd(socket: ServerConnection) -> None:
        socket.send('{"a": "\\ud800"}')

    with serve(odd, "127.0.0.1", 0) as server, served(server) as port:
        live.connect(f"ws://127.0.0.1:{port}/")
        live.end_of()
        assert json.loads(live.frames[1][0]["text"]) == {"a": "\ud800"}


def test_a_login_without_end_is_refused(started: Started) -> None:
    class Endless(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(10_000):
                    self.wfile.write(b"x" * 10_000)

        def log_message(self, *_: object) -> None:
            pass

    with (
        HTTPServer(("127.0.0.1", 0), Endless) as server,
        served(server) as port,
        started.page("r07_oauth2") as live,
    ):
        live.call("token", console=1, url=f"ws://127.0.0.1:{port}/", user=0)
        assert "too long for a token" in live.news("trouble")["sentence"]


def test_a_source_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor's lock, a folder in the place of a file, endless brackets."""
    monkeypatch.setattr(catalog, "RECIPES", tmp_path)
    (tmp_path / "r09" / "exercise.py").mkdir(parents=True)
    with contextlib.suppress(OSError):  # Windows does not let everybody link
        (tmp_path / "r09" / "lost.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "r09" / "deep.py").write_text("(" * 5_000, encoding="utf-8")
    (tmp_path / "r09" / "main.py").write_text("app = 1", encoding="utf-8")
    assert "main" in apps("r09")


def test_a_console_is_gone_with_its_page(started: Started) -> None:
    gone = threading.Event()

    def until_gone(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            socket.recv(BOUND)
        gone.set()

    with serve(until_gone, "127.0.0.1", 0) as server, served(server) as port:
        with started.page("r01_setup") as live:
            live.connect(f"ws://127.0.0.1:{port}/")
            live.news("console", lambda news: news["state"] == "open")
        assert gone.wait(BOUND)


def test_token(started: Started) -> None:
    with started.page("r07_oauth2") as live:
        port = live.start("main")["port"]
        url = f"ws://127.0.0.1:{port}/secured-ws"
        live.connect(url)
        assert live.end_of()["status"] == "401 Unauthorized"
        live.call("token", console=1, url=url, user=0)
        header = live.news("token")["value"]
        live.connect(url, headers=f"Authorization: {header}")
        live.news("frames")
        assert live.frames[1][0]["text"] == "Welcome johndoe!"
        live.call("token", console=1, url="ws://127.0.0.1:9/", user=0)
        assert "No answer" in live.news("trouble")["sentence"]
        live.call("token", console=1, url="ws://evil.example/", user=0)
        assert "not on this machine" in live.news("trouble")["sentence"]
        live.call("stop", app="main")
        live.news("app", lambda n: n["app"] == "main" and n["state"] == "stopped")


# What the page is made from


@pytest.mark.parametrize("recipe", catalog.recipes())
def test_offers_are_for_sockets_that_there_are(recipe: str) -> None:
    there: set[tuple[str, str]] = set()
    with_parameters = set()
    for name in apps(recipe):
        file = catalog.starter(recipe) if name == "exercise" else None
        module = catalog.load(f"recipes.{recipe}.{name}", file)
        routes = child.routes_of(module.app)
        there |= {(name, path) for kind, path in routes if kind == "websocket"}
        with_parameters |= {p for kind, p in routes if kind == "page" and "{" in p}
        assert not any("{" in page for page in pages(offers(recipe).page, routes))
    assert there
    offered = set()
    for offer in offers(recipe).offer:
        mine = {(app, path) for app, path in there if path == offer.path}
        mine = {(a, path) for a, path in mine if not offer.apps or a in offer.apps}
        assert mine, f"no app has {offer.path}"
        assert len(mine) >= len(offer.apps or [])
        offered |= mine
    forgotten = "\n".join(f"{path} of {app}" for app, path in sorted(there - offered))
    assert not forgotten, (
        f"recipes/{recipe}/console.toml offers nothing for\n{forgotten}"
    )
    assert {page.path for page in offers(recipe).page} == with_parameters


def test_texts_are_rendered_whole() -> None:
    for recipe in catalog.recipes():
        html = render.text(f"recipes/{recipe}/README.md")
        assert 'id="how-to-do-it"' in html
        assert 'class="code"' in html
        for target in re.findall('href="([^"]*)"', html):
            assert target.startswith(("/", "http", "#")), target
    assert '<a href="/r01_setup">' in render.text("README.md")
    assert '<a href="/readme#start-here">' in render.text("SYMPTOMS.md")
    assert '<a href="/contributing">' in render.text("tests/README.md")
    # A link within a page stays there.
    assert '<a href="#in-tests">' in render.text("SYMPTOMS.md")


def test_no_more_than_there_is(started: Started) -> None:
    assert started.get("/r99_none/more").status_code == 404
    for recipe in catalog.recipes():
        there = (catalog.RECIPES / recipe / "more.md").is_file()
        assert started.get(f"/{recipe}/more").status_code == (200 if there else 404)


def test_markdown_cannot_bring_script() -> None:
    hostile = "<script>x</script> [a](javascript:x) <b onclick=x>"
    html = render.MARKDOWN.render(hostile, {"folder": ""})
    assert "<script" not in html
    assert "<b" not in html
    assert 'href="javascript' not in html


def test_tail() -> None:
    tail: Tail[int] = Tail(3)
    assert tail.since(0) == (0, 0, [])
    tail.add(1)
    tail.add(2)
    assert tail.since(0) == (2, 0, [1, 2])
    for n in range(3, 8):
        tail.add(n)
    assert tail.since(2) == (7, 2, [5, 6, 7])
    assert tail.since(6) == (7, 0, [7])
    assert tail.since(7) == (7, 0, [])


def test_a_conversation_is_who_was_there_together() -> None:
    def exchange(path: str, began: float, ended: float) -> Exchange:
        url = f"ws://127.0.0.1:8000/{path}"
        return Exchange(Target(url), began=began, ended=ended)

    ada, bob = exchange("ada", 0, 10), exchange("bob", 1, 3)
    cy, dan = exchange("cy", 4, 6), exchange("dan", 11, 0)
    elsewhere = Exchange(Target("ws://127.0.0.1:9/ada"), began=0, ended=10)
    every = [cy, bob, elsewhere, dan, ada]
    # cy has never met bob, but ada has told both.
    assert conversation(bob, every) == [ada, bob, cy]
    assert conversation(ada, every) == [ada, bob, cy]
    assert conversation(dan, every) == [dan]
    assert conversation(elsewhere, every) == [elsewhere]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[offer", "console.toml: "),
        ("[[offer]]\ntitle = 'x'", "offer.1.path: Field required"),
        ("[[offer]]\npath = '/ws'\nsent = ['x']", "offer.1.sent: Extra inputs"),
        ("offer = 1", "console.toml, offer: "),
    ],
)
def test_a_wrong_console_toml_is_told(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "RECIPES", tmp_path)
    (tmp_path / "r09").mkdir()
    (tmp_path / "r09" / "console.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match=re.escape(said)):
        offers("r09")
    assert users("r09") == []
