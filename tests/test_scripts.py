"""What was held in a console, as code: it is run, and does the same again.

Consoles hold the scenes below with real servers. Each scene is written as a script,
which is run against the same server, and as a test, which is run by pytest.
"""

import ast
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from recipes.workbench import catalog
from recipes.workbench.consoles.console import Console
from recipes.workbench.consoles.copies.script import as_python
from recipes.workbench.consoles.copies.test import as_test
from recipes.workbench.consoles.exchange import Closed, Exchange, Failed, Frame, Refused
from recipes.workbench.consoles.target import Target, TokenRequest
from recipes.workbench.consoles.token import fetch_token
from recipes.workbench.servers.server import AppServer

pytestmark = pytest.mark.slow

# Seconds: for a message, and for all that a script or a test may take.
PATIENCE = 5.0
BOUND = 60.0

# A scene is a module and what consoles do with its server: "/path" or a dictionary
# opens the next console, "<" waits for a message, "!" for the end, "0" and "1" take up
# an earlier console, a tuple calls one of its methods; all else is sent. The last entry
# must be in the scene's test.
HELLO, OPENED = ["/ws", "<", "Hello!", "<"], "as client, client.websocket_connect("
ME = {"path": "/ws", "headers": (("Authorization", "me"),)}
SUBPROTOCOLS = {"path": "/ws", "subprotocols": ("chat.v9", "chat.v1")}
FORM = {"username": "johndoe", "password": "secret"}
TOKEN = {"path": "/secured-ws", "token": TokenRequest("/token", FORM)}
NASTY = ['"', "'", "\\", "\n\r", "☂🎉", '"""', "'''", "\\'", "\"'", "{x}%s", "\0\u2028"]
QUOTES = {
    "path": """/ws/json?a="b'c{d}%0A%22""",
    "headers": (("X-A", "a\"b'c\\"), ("X-A", "é{}"), ("Cookie", 'a="b"')),
}
QUOTED = [
    each for text in NASTY for each in (json.dumps({text: [text, None, 2.5]}), "<")
]
JOIN = ["/chatroom/ada", "/chatroom/bob", "0", "<"]
TALK = ["Hi!", "<", "1", "<", "Ho!", "<", "0", "<"]
CHAT = [*JOIN, *TALK, "1", ("close", 1000, ""), "0", "<"]
R05, R07 = "recipes.r05_chat.main", "recipes.r07_oauth2.main"
R01, R02, R04 = "recipes.r01_setup", "recipes.r02_send_receive", "recipes.r04_errors"
WELCOME, REFUSED = "Welcome to the chat room!", "pytest.raises(WebSocketDisconnect):"
SCENES: dict[str, tuple[str, list[Any], str]] = {
    "closed": (f"{R01}.main", ["/ws", "<", "!"], OPENED),
    "no_close": (f"{R01}.demo_no_close", ["/ws", "<", "!"], "# Ended without"),
    "protocols": (f"{R01}.subprotocols", [SUBPROTOCOLS, "<", "!"], '["chat.v9", "chat'),
    "open": (f"{R02}.main", HELLO, "leaving(client"),
    "left": (f"{R02}.main", [*HELLO, ("close", 4001, '"')], "close(4001, '\"')"),
    "nasty": (f"{R02}.main", [QUOTES, *QUOTED, ("close", 1000, "\"'\\")], "Headers("),
    "bytes": (
        f"{R02}.main",
        ["/ws/binary", ("ping", b"\n"), b"\xff'\"", "<"],
        "# A ping",
    ),
    "cut": (f"{R02}.main", [*HELLO, ("cut",)], "websocket.close(1005)"),
    "crash": (f"{R02}.main", [*HELLO, b"\0", "!"], "pytest.raises(KeyError),"),
    "http_after": (f"{R04}.demo_http_codes", ["/http-after", "!"], "# Ended without"),
    "code_401": (f"{R04}.demo_http_codes", ["/exception-after", "!"], "leaving("),
    "bad": (f"{R04}.main", [ME, "<", "a bad message", "!"], '"Authorization": "me"'),
    "text_only": (f"{R04}.main", ["/ws", "<", b"\0", "!"], '"code": 1003'),
    "refused": (f"{R04}.step1_close_codes", ["/ws", ME, "<"], REFUSED),
    "unknown_path": (f"{R02}.main", ["/nope"], REFUSED),
    "chat": (R05, CHAT, "bob."),
    "logged_in": (R07, [TOKEN, "<", b"\0", "!"], "client.post("),
    "stranger": (R07, ["/secured-ws"], '"Bearer" in refusal.value.h'),
    "origin": (
        "odd",
        [{"path": "/origin", "origin": "http://{host}"}, "!"],
        '"Origin": "h',
    ),
    "evil": ("odd", [{"path": "/origin", "origin": "http://evil"}], REFUSED),
    "early": ("odd", ["/early", "/away"], 'refusal.value.text == "Pay first"'),
}
# The exceptions that leave the handlers of some.
CRASHES = {"crash": "KeyError", "code_401": "ProtocolError", "early": "TooEarly"}
CRASHES |= dict.fromkeys(("left", "nasty", "cut"), "WebSocketDisconnect")
LABELS = {"chat": ["ada: ", "bob: "], "early": ["early: ", "away: "]}
SETTINGS = {"odd": {"GREETING": 'a "b"'}}
ODD = '''\
"""Ends of a connection that no recipe has."""

import os

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

app = FastAPI()
GREETING = os.environ["GREETING"]


class TooEarly(Exception):
    pass


@app.websocket("/early")
async def early(websocket: WebSocket) -> None:
    raise TooEarly


@app.websocket("/away")
async def away(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("Pay first", 402))


@app.websocket("/origin")
async def origin(websocket: WebSocket) -> None:
    if websocket.headers["Origin"] == f"http://{websocket.headers['Host']}":
        await websocket.accept()
    await websocket.close(4000, GREETING)
'''


def exchange(*frames: str, end: Any = None, path: str = "", **target: Any) -> Exchange:
    """An exchange as it was noted by hand: `> Hello!` was sent, `< Hi!` received."""
    sent = [Frame(n, f[0] == ">", "text", f[2:].encode()) for n, f in enumerate(frames)]
    ended = float(len(frames)) if end else 0.0
    to = Target(NOWHERE + path, **target)
    return Exchange(to, 0.0, sent, ended=ended, end=end)


NOWHERE = "ws://127.0.0.1:9/ws"


LOST = Closed("server", 1006, "")
# What is not so: the module, and how the test must fail.
NOT_SO: list[tuple[Exchange, str, str]] = [
    (exchange(end=Refused(403, "", [], b"")), f"{R01}.main", "Failed: DID NOT RAISE"),
    (exchange("< Hi!"), f"{R02}.main", "AssertionError|assert "),
    (
        exchange(f"< {WELCOME}", end=Closed("server", 1001, "")),
        f"{R01}.main",
        "AssertionError|assert ",
    ),
    (exchange(f"< {WELCOME}", "< And?"), f"{R01}.main", "starlette.*Disconnect"),
    (exchange(f"< {WELCOME}", end=LOST), f"{R01}.demo_no_close", "Failed: DID NOT"),
    (exchange(end=Refused(401, "", [], b"")), f"{R04}.main", "Failed: DID NOT RAISE"),
    (exchange(), f"{R04}.step1_close_codes", "starlette.*WebSocketDisconnect"),
]


# Holding them, and holding them again


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Stage:
    """Consoles in front of one server."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.consoles: list[Console] = []
        self.heard: list[int] = []  # messages of each that were waited for
        self.now = 0

    async def open(self, path: str, origin: str = "", **fields: Any) -> None:
        await asyncio.sleep(0.1)  # as a user, who is slow
        url, origin = f"ws://{self.host}{path}", origin.format(host=self.host)
        if token := fields.get("token"):
            fetched = await fetch_token(url, token, False)
            fields["headers"] = (("authorization", f"Bearer {fetched}"),)
        console, self.now = Console(lambda: None, False), len(self.consoles)
        self.consoles.append(console)
        self.heard.append(0)
        console.connect(Target(url, origin=origin, **fields))
        await until(lambda: console.state in {"open", "over"})

    async def act(self, action: Any) -> None:
        if isinstance(action, dict):
            return await self.open(**action)
        if isinstance(action, str) and action.startswith("/"):
            return await self.open(action)
        self.now = int(action) if action in ("0", "1") else self.now
        console = self.consoles[self.now]
        assert console.exchange
        frames = console.exchange.frames
        if action == "<":
            self.heard[self.now] += 1
            await until(lambda: len(received(frames)) >= self.heard[self.now])
        elif isinstance(action, tuple):
            getattr(console, action[0])(*action[1:])
        elif action not in ("0", "1", "!"):
            console.send(action)
        if action == "!" or (isinstance(action, tuple) and action[0] != "ping"):
            await until(lambda: console.state == "over")
        return None

    async def hold(self, actions: Sequence[Any]) -> list[Exchange]:
        """Do all this; the exchanges as they were then."""
        for action in actions:
            await self.act(action)
        held = [c.exchange for c in self.consoles if c.exchange]
        held = [replace(each, frames=[*each.frames]) for each in held]
        for console in self.consoles:
            await console.end()
        return held


def received(frames: Sequence[Frame]) -> list[Frame]:
    return [f for f in frames if not f.sent and f.kind in {"text", "binary"}]


def lines_of(exchange: Exchange) -> Iterator[str]:
    """How the lines begin that a script prints for an exchange."""
    for frame in received(exchange.frames):
        yield frame.data.decode() if frame.kind == "text" else str(frame.data)
    match exchange.end:
        case Refused(status=status):
            yield f"refused: Response(status_code={status}"
        case Closed(by="server", code=code, reason=reason):
            yield f"closed with {code} {reason}".rstrip()


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=catalog.ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=BOUND,
    )


def run_tests(folder: Path) -> dict[str, str]:
    """Run all tests in a folder, as from the workbook's; what each ended with."""
    report = folder / "report.xml"
    # A test that waits for ever is not waited for.
    options = [f"faulthandler_timeout={PATIENCE}", "faulthandler_exit_on_timeout=true"]
    options += [f"pythonpath=. {folder.parent}", "addopts=--import-mode=importlib"]
    options = [each for option in options for each in ("-o", option)]
    options += ["-c", "pyproject.toml", "-q", "-p", "no:cacheprovider"]
    done = run("-m", "pytest", *options, f"--junitxml={report}", folder)
    assert report.is_file(), done
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [child for child in case if child.tag in {"failure", "error", "skipped"}]
        name = case.attrib["classname"].rpartition(".")[2].removeprefix("test_")
        outcomes[name] = bad[0].attrib["message"] if bad else "passed"
    return outcomes


def is_crash(kind: str, report: dict[str, Any]) -> bool:
    return report.get("kind") == kind


@dataclass
class Proof:
    """All scenes, and what became of them when they were held again."""

    folder: Path
    held: dict[str, list[Exchange]]
    scripts: dict[str, subprocess.CompletedProcess[str]]
    tests: dict[str, str]


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "tests").mkdir()
    (folder / "odd.py").write_text(ODD)
    modules = sorted({module for module, _, _ in SCENES.values()})
    held: dict[str, list[Exchange]] = {}
    scripts: dict[str, subprocess.CompletedProcess[str]] = {}
    with ThreadPoolExecutor(4) as pool, ExitStack() as stack:

        def start(module: str) -> AppServer:
            file = folder / "odd.py" if module == "odd" else None
            return AppServer(module, file, SETTINGS.get(module, {}))

        def run_scripts(module: str) -> None:
            # One after the other at each server: a chat's room is shared.
            for name in (name for name in SCENES if SCENES[name][0] == module):
                scripts[name] = run(folder / f"{name}.py")

        def write_test(name: str, *arguments: Any, crashes: Any) -> None:
            text = as_test(*arguments, crashes=crashes)
            (folder / "tests" / f"test_{name}.py").write_text(text)

        servers = dict(zip(modules, pool.map(start, modules), strict=True))
        for server in servers.values():
            stack.callback(server.kill)
        for name, (module, actions, _) in SCENES.items():
            server, settings = servers[module], SETTINGS.get(module, {})
            since = server.count()
            held[name] = asyncio.run(Stage(server.port).hold(actions))
            if name in CRASHES:
                crash = partial(is_crash, CRASHES[name])
                assert server.wait_for(crash, PATIENCE, since)
            crashes = [each.kind for each in server.crashes(since)]
            for each in held[name]:
                if each.target.token:  # the token that was used has an end
                    old = (("authorization", "Bearer x"),)
                    each.target = replace(each.target, headers=old)
            (folder / f"{name}.py").write_text(as_python(held[name]))
            write_test(name, held[name], module, settings, crashes=crashes)
            write_test(f"{name}_2", held[name], module, settings, crashes=None)
        for n, (wrong, module, _) in enumerate(NOT_SO):
            crashes = ["KeyError"] if wrong.end == LOST else []
            write_test(f"not_{n}", [wrong], module, crashes=crashes)
        tests = pool.submit(run_tests, folder / "tests")
        list(pool.map(run_scripts, modules))
        yield Proof(folder, held, scripts, tests.result())


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_held_again(proof: Proof, name: str) -> None:
    done, held = proof.scripts[name], proof.held[name]
    assert (done.returncode, done.stderr) == (0, "")
    labels = LABELS.get(name, ["console_1: ", "console_2: "] if held[1:] else [""])
    # What two consoles receive at the same time has no order.
    said = [
        label + line
        for label, each in zip(labels, held, strict=True)
        for line in lines_of(each)
    ]
    lines = done.stdout.split("\n")[:-1]
    lines = [line for label in labels for line in lines if line.startswith(label)]
    assert [a[: len(b)] for a, b in zip(lines, said, strict=True)] == said
    assert proof.tests[name] == proof.tests[f"{name}_2"] == "passed"
    assert SCENES[name][2] in (proof.folder / f"tests/test_{name}.py").read_text()


@pytest.mark.parametrize("n", range(len(NOT_SO)))
def test_what_is_not_so_fails(proof: Proof, n: int) -> None:
    assert re.match(NOT_SO[n][2], proof.tests[f"not_{n}"])


def test_they_are_clean(proof: Proof) -> None:
    ours = 'lint.isort.known-first-party=["odd", "recipes"]'
    options = "--isolated", "--no-cache", "--config", ours
    done = run("-m", "ruff", "check", *options, proof.folder)
    assert done.returncode == 0, done.stdout


def test_the_server_does_something_else(
    proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.workbench.consoles.copies.script.PATIENCE", 1)
    url, login = proof.held["bad"][0].target.url, TokenRequest("/token", FORM)
    for to, held, complaint in (
        (NOWHERE, exchange("< Hi!"), "ConnectionRefused|OSError"),
        (NOWHERE, exchange("< Hi!", token=login), "ConnectError"),
        (f"{url}/nope", exchange("< Hi!"), "InvalidStatus"),
        (url, exchange(end=Refused(403, "", [], b"")), "the server accepted"),
        (url, exchange("< Hi", "> disconnect", "< And?"), "ConnectionClosedOK"),
        (url, exchange(f"< {WELCOME}", "< And?"), "TimeoutError"),
    ):
        held.target = replace(held.target, url=to)
        (proof.folder / "script.py").write_text(as_python([held]))
        done = run(proof.folder / "script.py")
        assert done.returncode == 1
        assert re.match(f"This time it went differently: .*({complaint})", done.stderr)


# What needs no server


def both(*held: Exchange, crashes: Sequence[str] | None = None) -> tuple[str, str]:
    return as_python(held), as_test(held, "recipes.r01_setup.main", crashes=crashes)


def test_nothing_to_repeat(tmp_path: Path) -> None:
    failed = exchange(end=Failed("Nobody listens\nimport os"))
    script, test = both(failed)
    for text in (script, test):
        assert rf"# {NOWHERE} gave no answer: Nobody listens\nimport" in text
        assert "connect(" not in text
    for name, text, command in (("s.py", script, []), ("t.py", test, ["-m", "pytest"])):
        (tmp_path / name).write_text(text)
        assert run(*command, tmp_path / name).returncode == 0
    assert run("-m", "ruff", "check", "--isolated", tmp_path).returncode == 0
    # Beside another it is a comment, and its token is not fetched.
    failed.target = replace(failed.target, token=TokenRequest("/token", FORM))
    for text in both(failed, exchange("< Hi!")):
        assert "gave no answer" in text
        assert "console_2.rec" in text
        assert "fetch_token" not in text


def test_frames_that_are_gone_end_it() -> None:
    long = exchange("> 0", "< 1", path="/ada", end=Closed("server", 1008, "x"))
    long.left_out = 7
    other = exchange("> 2", path="/bob")
    other.frames.append(Frame(5.0, False, "text", b"because of what is lost"))
    for text in both(long, other):
        assert "# 7 more frames are left out" in text
        assert "bob.send" in text
        assert "lost" not in text
        assert "1008" not in text


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1012, ""), (1011, "keepalive ping timeout"), (1007, "invalid at position 0")],
)
def test_what_uvicorn_closes_is_not_waited_for(code: int, reason: str) -> None:
    for text in both(exchange("< Hi!", end=Closed("server", code, reason))):
        assert f"# uvicorn itself, not the app, closed here: {code}" in text
        assert "wait_closed" not in text
        assert "receive()" not in text
    own = Closed("server", code, "by the app")
    assert "receive()" in both(exchange("< Hi!", end=own))[1]


def test_a_consequence_comes_after_its_cause() -> None:
    """A console notes an opening, or a cut, when others have heard of it already."""
    ada, bob = exchange(path="/ada"), exchange("< Hi bob!", path="/bob")
    heard = (4.0, "before"), (4.99, "bob joined"), (6.99, "bob left")
    ada.frames += [Frame(at, False, "text", text.encode()) for at, text in heard]
    bob.began, bob.frames[0] = 5.0, bob.frames[0]._replace(at=5.01)
    bob.ended, bob.end = 7.0, Closed("client", 1006, "")
    for text, cut in zip(both(ada, bob), ("abort()", "close(1005)"), strict=True):
        order = ["before", "/bob", "bob joined", "Hi bob!", cut, "bob left"]
        places = [text.index(each) for each in order]
        assert places == sorted(places), text


@pytest.mark.parametrize("other", ["ada", "client", "print", "class", "l", "b-b", "ä"])
def test_names_that_do_not_fit_are_numbered(other: str) -> None:
    for text in both(exchange("< 1", path="/ada"), exchange("< 2", path=f"/{other}")):
        assert "console_2.rec" in text
        ast.parse(text)
    for text in both(exchange("< 1", path="/ada"), exchange("< 2", path="/bob?x")):
        assert "bob.rec" in text


def test_what_a_user_typed_stays_in_its_literal() -> None:
    """No text of the page's user or of the server becomes code, nor ends a comment."""
    evil = "\"\"\"'''\n\r\u2028\\\nraise CANARY\n#{CANARY}{}"
    token = TokenRequest(f"/{evil}", {evil: evil, "b": evil})
    target = Target(f"ws://h:1/{evil}", ((evil, evil),), (evil,), evil, token)
    refused = Refused(401, evil, [("WWW-Authenticate", evil)], evil.encode())
    ends = Closed("server", 1008, evil), Closed("client", 4000, evil), None, LOST
    said = f"< {evil}", f"> {evil}", f"< {json.dumps({evil: [evil]})}"
    held = [
        replace(exchange(*said, end=end), target=target)
        for end in (*ends, refused, Failed(evil), Closed("server", 1012, evil))
    ]
    for each in [*([one] for one in held), held]:
        for crashes in (None, [evil]):
            test = as_test(each, R01, {evil: evil}, crashes=crashes)
            for text in (as_python(each), test):
                names = {n.id for n in ast.walk(ast.parse(text)) if type(n) is ast.Name}
                assert "CANARY" not in names
                assert all(c == "\n" or c.isprintable() for c in text)
    for module in ("os; import sys", "a..b", "", "a.class", "a\nb"):
        with pytest.raises(ValueError, match="is no name of a module"):
            as_test([exchange()], module)


@pytest.mark.parametrize(
    "text", ["[NaN]", "[1e999]", "[" * 300 + "]" * 300, "7", "{,}"]
)
def test_json_without_a_literal_is_compared_as_text(text: str) -> None:
    assert f'websocket.receive_text() == "{text}"' in both(exchange(f"< {text}"))[1]


def test_bounds() -> None:
    """A script may take as long as it took then; big messages are let in."""
    slow = exchange("< 0")
    slow.frames.append(Frame(41.0, False, "text", b"at last"))
    assert "main(), 62)" in as_python([slow])
    assert "max_size" not in as_python([exchange(f"< {'x' * 2**20}")])
    assert "max_size=None" in as_python([exchange(f"< {'x' * 2**20}x")])


def test_pings_and_fragments() -> None:
    bad = exchange("> x")
    bad.frames[0] = bad.frames[0]._replace(data=b"\xff")
    assert all("# A text that is not UTF-8" in text for text in both(bad))
    console = exchange()
    for at, each in enumerate(["<ping a", ">pong a", ">ping b", "<pong b", ">ping c"]):
        kind, data = each[1:].split()
        console.frames.append(Frame(at, each[0] == ">", kind, data.encode()))
    kinds = [("text", False), ("continuation", True), ("text", False)]
    for at, (kind, final) in enumerate(kinds):
        console.frames.append(Frame(9 + at, True, kind, f"part {at}, ".encode(), final))
    script, test = both(console)
    assert re.findall(r"\bp[io]ng\(.*?\)", script) == ['ping(b"b")']
    for text in (script, test):
        assert "# A ping was sent here, and not answered." in text
        assert "# A message was begun here, and not finished." in text
        assert '("part 0, part 1, ")' in text
        assert "part 2" not in text


@pytest.mark.parametrize(
    ("crashes", "ends", "way"),
    [
        ([], [LOST], "client.websocket_connect("),
        (["KeyError", "WebSocketDisconnect"], [LOST], "pytest.raises(KeyError),"),
        (["KeyError"], [LOST, LOST], "leaving("),
        (["KeyError", "ValueError"], [LOST], "leaving("),
        (["AssertionError"], [LOST], "leaving("),
        (["odd.Crash"], [LOST], "leaving("),
        ([], [None], "leaving("),
        (None, [Closed("server", 1000, "")], "leaving("),
        ([], [Closed("server", 1000, "")], "client.websocket_connect("),
    ],
)
def test_how_a_handler_may_end(
    crashes: list[str] | None, ends: list[Closed | None], way: str
) -> None:
    test = both(*(exchange(end=end) for end in ends), crashes=crashes)[1]
    assert way in test
    assert ("leaving(" in test) == (way == "leaving(")
