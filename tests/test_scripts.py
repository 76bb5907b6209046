"""What was held in a console, as code: it is run, and does the same again.

Consoles hold the conversations below with real servers. Each is written as a script,
which is run against the same server, and as a test, which is run by pytest.
"""

import ast
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from recipes.workbench import catalog
from recipes.workbench.exchange import (
    Closed,
    Exchange,
    Failed,
    Frame,
    Refused,
    Target,
    TokenRequest,
)
from recipes.workbench.scripts import ORDINALS, as_python, as_test, literal
from recipes.workbench.server import AppServer

# Seconds: for a message, and for all that a script or a test may take.
PATIENCE = 5.0
BOUND = 60.0
KINDS = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.CONT: "continuation",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}


# A console


class Recorder(ClientConnection):
    """A connection that keeps its frames, in both directions."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.exchange = Exchange(Target(""))
        protocol = arguments[1]
        self.watch(protocol, "send_frame", sent=True)
        self.watch(protocol, "recv_frame", sent=False)
        super().__init__(*arguments, **options)

    def watch(self, protocol: object, name: str, sent: bool) -> None:
        original: Callable[[WireFrame], None] = getattr(protocol, name)

        def watched(frame: WireFrame) -> None:
            data, kind = bytes(frame.data), KINDS[frame.opcode]
            self.exchange.add(Frame(time.monotonic(), sent, kind, data, frame.fin))
            original(frame)

        setattr(protocol, name, watched)


class Console:
    """One connection, from its handshake on; `exchange` is its record."""

    def __init__(self, target: Target) -> None:
        self.exchange = Exchange(target, time.monotonic())
        self.is_cut = False
        self.socket: Recorder | None = None
        self.stack = ExitStack()
        try:
            opened = self.stack.enter_context(
                connect(
                    target.url,
                    additional_headers=target.headers,
                    subprotocols=[Subprotocol(n) for n in target.subprotocols] or None,
                    origin=Origin(target.origin) if target.origin else None,
                    create_connection=Recorder,
                    proxy=None,
                    ping_interval=None,
                    max_size=None,
                )
            )
        except InvalidStatus as refusal:
            answer = refusal.response
            self.exchange.end = Refused(
                answer.status_code,
                answer.reason_phrase,
                list(answer.headers.raw_items()),
                bytes(answer.body or b""),
            )
            self.exchange.ended = time.monotonic()
        else:
            self.socket = cast(Recorder, opened)
            self.exchange = self.socket.exchange
            self.exchange.target, self.exchange.began = target, time.monotonic()

    @property
    def open(self) -> Recorder:
        assert self.socket is not None, self.exchange.end
        return self.socket

    def receive(self, times: int = 1) -> str | bytes:
        for _ in range(times):
            message = self.open.recv(timeout=PATIENCE)
        return message

    def send(self, message: Any) -> None:
        self.open.send(message)

    def ask(self, message: str | bytes) -> str | bytes:
        """Send, and receive the answer."""
        self.send(message)
        return self.receive()

    def ping(self, data: bytes) -> None:
        assert self.open.ping(data).wait(PATIENCE)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.open.close(code, reason)
        self.note_end()

    def cut(self) -> None:
        self.is_cut = True
        self.open.close_socket()
        self.note_end()

    def wait(self) -> None:
        """Wait until the server has closed."""
        with pytest.raises(ConnectionClosed):
            self.receive()
        self.note_end()

    def note_end(self) -> None:
        protocol = self.open.protocol
        received, sent = protocol.close_rcvd, protocol.close_sent
        if received and protocol.close_rcvd_then_sent:
            end = Closed("server", received.code, received.reason)
        elif sent:
            end = Closed("client", sent.code, sent.reason)
        else:
            end = Closed("client" if self.is_cut else "server", 1006, "")
        self.exchange.ended, self.exchange.end = time.monotonic(), end


# The conversations


@dataclass
class Stage:
    """Consoles in front of one server, in the order in which they were opened."""

    address: str
    consoles: list[Console] = field(default_factory=list)

    def open(self, path: str, **target: Any) -> Console:
        self.consoles.append(Console(Target(f"ws://{self.address}{path}", **target)))
        return self.consoles[-1]


@dataclass(frozen=True)
class Scene:
    """A conversation; `said` is what its script prints, `crash` what it leads to.

    `asserts` are lines of its test; in the scenes' names, `open` means that a console
    is still connected at the end.
    """

    module: str
    hold: Callable[[Stage], None]
    said: Sequence[str]
    asserts: Sequence[str] = ()
    crash: str = ""
    settings: dict[str, str] = field(default_factory=dict)


WELCOME = "Welcome to the chat room!"
AUTHORIZATION = (("Authorization", "me"),)
NASTY = [
    '"',
    "'",
    "\\",
    "\n",
    "\r",
    "☂🎉",
    '"""',
    "'''",
    "\\'",
    "\"'",
    "{x}",
    "%s",
    "\0",
]


def greeted(stage: Stage) -> None:
    stage.open("/ws").receive()
    stage.consoles[-1].wait()


def ended(path: str) -> Callable[[Stage], None]:
    def wait(stage: Stage) -> None:
        stage.open(path).wait()

    return wait


def subprotocol(stage: Stage) -> None:
    stage.open("/ws", subprotocols=("chat.v9", "chat.v1")).receive()
    stage.consoles[-1].wait()


def talked_and_stayed(stage: Stage) -> None:
    console = stage.open("/ws")
    console.receive()
    console.ask("Hello!")
    console.send(["in ", "three ", "frames"])
    console.receive()


def talked_and_left(stage: Stage) -> None:
    console = stage.open("/ws")
    console.receive()
    console.close(4001, 'had "enough"')


def nasty(stage: Stage) -> None:
    headers = (("X-A", "a\"b'c\\"), ("X-A", "é{}"), ("Cookie", 'a="b"'))
    console = stage.open("""/ws/json?a="b'c\\d{e}%0A%22""", headers=headers)
    for text in NASTY:
        console.ask(json.dumps({text: [text, None, 2.5, True]}))
    console.close(1000, "\"'\\")
    other = stage.open("/ws")
    other.receive()
    for text in NASTY:
        other.ask(text)
    other.ask("x" * 3_000)


def binary(stage: Stage) -> None:
    console = stage.open("/ws/binary")
    console.ping(b'"are you there?"\n')
    console.ask(b"\x00\xff'\"\\")
    console.ask(b"text in bytes")
    console.ask(b"")
    console.cut()


def binary_crashes(stage: Stage) -> None:
    console = stage.open("/ws")
    console.receive()
    console.send(b"\x00\xff")
    console.wait()


def no_json(stage: Stage) -> None:
    console = stage.open("/ws/json")
    console.send("no JSON")
    console.wait()


def asserted(stage: Stage) -> None:
    console = stage.open("/asserts")
    console.send("a guess")
    console.wait()


def no_utf_8(stage: Stage) -> None:
    console = stage.open("/mouth")
    console.open.send(b"\xff", text=True)
    console.wait()


def one_crashed(stage: Stage) -> None:
    """What one says crashes its own handler, and is heard by the other."""
    ears, mouth = stage.open("/ears"), stage.open("/mouth")
    mouth.send("Hi!")
    mouth.wait()
    time.sleep(0.2)
    ears.receive()


def bad_message(stage: Stage) -> None:
    console = stage.open("/ws", headers=AUTHORIZATION)
    console.receive()
    console.ask("Hello!")
    console.send("a bad message")
    console.wait()


def text_only(stage: Stage) -> None:
    console = stage.open("/ws")
    console.receive()
    console.send(b"\x00")
    console.wait()


def refused_then_let_in(stage: Stage) -> None:
    stage.open("/ws")
    console = stage.open("/ws", headers=AUTHORIZATION)
    console.receive()
    console.send("disconnect")
    console.wait()


def wrong_messages(stage: Stage) -> None:
    stage.open("/ws")
    console = stage.open("/ws", headers=AUTHORIZATION)
    console.ask('{"type": "say", "text": "Hi"}')
    console.ask("no JSON")
    console.ask("{}")
    console.send('{"type": "shout"}')
    console.wait()


def chat_for_two(stage: Stage) -> None:
    ada, bob = stage.open("/chatroom/ada"), stage.open("/chatroom/bob")
    ada.receive()
    ada.ask("Hi bob!")
    bob.receive()
    bob.ask("Hi ada!")
    ada.receive()
    bob.close()
    ada.receive()


def chat_that_grows(stage: Stage) -> None:
    """Everybody is greeted before the next one comes, and the first leaves first."""
    for number, name in enumerate(["ada", "bob", "class", "e"]):
        time.sleep(0.12)  # so that what came before is no consequence of this
        console = stage.open(f"/chatroom/{name}")
        for other in stage.consoles[:-1]:
            other.receive()
        console.ask(f"I am number {number}")
        for other in stage.consoles[:-1]:
            other.receive()
    stage.consoles[0].close(1001)
    for other in stage.consoles[1:]:
        other.receive()


FORM = {"username": "johndoe", "password": "secret"}


def logged_in(stage: Stage) -> None:
    answer = httpx2.post(f"http://{stage.address}/token", data=FORM, trust_env=False)
    headers = (("authorization", f"Bearer {answer.json()['access_token']}"),)
    token = TokenRequest("/token", FORM)
    console = stage.open("/secured-ws", headers=headers, token=token)
    console.receive()
    console.ask("Hello!")
    # The token that is in the record has an end; the scripts must not use it.
    target = replace(console.exchange.target, headers=(("authorization", "Bearer x"),))
    console.exchange.target = target
    console.send(b"bytes")
    console.wait()


def knocked(path: str, *origins: str) -> Callable[[Stage], None]:
    def knock(stage: Stage) -> None:
        for origin in origins or [""]:
            stage.open(path, origin=origin.format(address=stage.address))

    return knock


def system(text: str) -> str:
    return f'{{"sender":"system","message":"{text}"}}'


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def by(sender: str, text: str) -> str:
    return f'{{"sender":"{sender}","message":"{text}"}}'


ANSWERED = "Message received!"
R01, R02 = "recipes.r01_setup", "recipes.r02_send_receive.main"
R04, R05 = "recipes.r04_errors", "recipes.r05_chat.main"
SCENES = {
    **{
        f"http_codes_{name}": Scene(f"{R04}.demo_http_codes", hold, said)
        for name, hold, said in [
            ("1", knocked("/exception-before"), ["refused with HTTP 403"]),
            ("2", ended("/exception-after"), ["closed with 1006"]),
            (
                "3",
                knocked("/http-before"),
                ["refused with HTTP 401", '{"detail":"Unauthorized"}'],
            ),
            ("4", ended("/http-after"), ["closed with 1006"]),
        ]
    },
    "closed": Scene(
        f"{R01}.main",
        greeted,
        [WELCOME, "closed with 1000"],
        [
            '"code": 1000',
        ],
    ),
    "no_close": Scene(f"{R01}.demo_no_close", greeted, [WELCOME, "closed with 1006"]),
    "subprotocol": Scene(
        f"{R01}.subprotocols",
        subprotocol,
        ["subprotocol: chat.v1", "We speak chat.v1", "closed with 1000"],
        ['subprotocols=["chat.v9", "chat.v1"]'],
    ),
    "open": Scene(
        R02,
        talked_and_stayed,
        [WELCOME, ANSWERED, ANSWERED],
        ['send_text("in three frames")'],
    ),
    "left": Scene(
        R02,
        talked_and_left,
        [WELCOME],
        ["websocket.close(4001, 'had \"enough\"')"],
        crash="WebSocketDisconnect",
    ),
    "nasty": Scene(
        R02,
        nasty,
        [
            *(
                "first: " + compact({"received": value})
                for value in ({text: [text, None, 2.5, True]} for text in NASTY)
            ),
            f"second: {WELCOME}",
            *[f"second: {ANSWERED}"] * (len(NASTY) + 1),
        ],
        crash="WebSocketDisconnect",
    ),
    "binary": Scene(
        R02,
        binary,
        [str(data) for data in (b"\x00\xff'\"\\", b"text in bytes", b"")],
        ["A ping or a pong was sent; TestClient has none.", "websocket.close(1005)"],
        crash="WebSocketDisconnect",
    ),
    "crash": Scene(
        R02,
        binary_crashes,
        [WELCOME, "closed with 1006"],
        ["pytest.raises(KeyError)"],
        crash="KeyError",
    ),
    "no_json": Scene(
        R02,
        no_json,
        ["closed with 1006"],
        ["from json import JSONDecodeError", "pytest.raises(JSONDecodeError)"],
        crash="JSONDecodeError",
    ),
    "asserted": Scene(
        "odd",
        asserted,
        ["closed with 1006"],
        ["suppress(AssertionError, WebSocketDisconnect)"],
        crash="AssertionError",
    ),
    "crashed_late": Scene(
        "odd",
        greeted,
        ["Hi!", "closed with 4000 Bye"],
        ['"code": 4000'],
        crash="ValueError",
    ),
    "crashed_early": Scene(
        "odd",
        knocked("/early"),
        ["refused with HTTP 500", "Internal Server Error"],
        ['check=lambda crash: type(crash).__name__ in ["TooEarly"]'],
        crash="TooEarly",
    ),
    "redirected": Scene(
        "odd",
        knocked("/away"),
        ["refused with HTTP 402", "Location: /login", "Pay first"],
        ['headers["Location"] == "/login"', 'refusal.value.text == "Pay first"'],
    ),
    "no_utf_8": Scene(
        "odd",
        no_utf_8,
        ["closed with 1007"],
        ["A text that is not UTF-8 was sent", "(1007)"],
    ),
    "one_crashed": Scene(
        "odd",
        one_crashed,
        ["ears: Hi!", "mouth closed with 1006"],
        ["suppress(LookupError, WebSocketDisconnect)"],
        crash="LookupError",
    ),
    "bad_message": Scene(
        f"{R04}.main",
        bad_message,
        [WELCOME, ANSWERED, "closed with 1008 Inappropriate message"],
        ['headers={"Authorization": "me"}', '"reason": "Inappropriate message"'],
    ),
    "text_only": Scene(
        f"{R04}.main", text_only, [WELCOME, "closed with 1003 Text only"]
    ),
    "refused": Scene(
        f"{R04}.step1_close_codes",
        refused_then_let_in,
        ["refused with HTTP 403", WELCOME, "closed with 1000 Disconnecting..."],
        ["assert not accepted"],
    ),
    "unknown_path": Scene(
        R02, knocked("/nope"), ["refused with HTTP 403"], ["assert not accepted"]
    ),
    "chat": Scene(
        R05,
        chat_for_two,
        [
            f"ada: {system('bob joined the chat')}",
            f"ada: {by('You', 'Hi bob!')}",
            f"bob: {by('ada', 'Hi bob!')}",
            f"bob: {by('You', 'Hi ada!')}",
            f"ada: {by('bob', 'Hi ada!')}",
            f"ada: {system('bob left the chat')}",
        ],
        ["bob.close()"],
    ),
    "chat_that_grows": Scene(
        R05,
        chat_that_grows,
        [
            f"first: {by('You', 'I am number 0')}",
            f"first: {system('bob joined the chat')}",
            f"second: {by('You', 'I am number 1')}",
            f"first: {by('bob', 'I am number 1')}",
            f"first: {system('class joined the chat')}",
            f"second: {system('class joined the chat')}",
            f"third: {by('You', 'I am number 2')}",
            f"first: {by('class', 'I am number 2')}",
            f"second: {by('class', 'I am number 2')}",
            *(f"{n}: {system('e joined the chat')}" for n in ORDINALS[:3]),
            f"fourth: {by('You', 'I am number 3')}",
            *(f"{n}: {by('e', 'I am number 3')}" for n in ORDINALS[:3]),
            *(f"{n}: {system('ada left the chat')}" for n in ORDINALS[1:4]),
        ],
        ["first = stack.enter_context(", "first.close(1001)"],
    ),
    "logged_in": Scene(
        "recipes.r07_oauth2.main",
        logged_in,
        ["Welcome johndoe!", "You wrote: Hello!", "closed with 1003 Text only"],
        ['token = client.post("/token", data=form)'],
    ),
    "stranger": Scene(
        "recipes.r07_oauth2.main",
        knocked("/secured-ws"),
        [
            "refused with HTTP 401",
            "WWW-Authenticate: Bearer",
            '{"detail":"Not authenticated"}',
        ],
        [
            'refusal.value.headers["WWW-Authenticate"] == "Bearer"',
            'refusal.value.json() == {"detail": "Not authenticated"}',
        ],
    ),
}
if catalog.SOLUTIONS.is_dir():  # a students' edition has none
    SCENES |= {
        "idle": Scene(
            "solutions.r03_disconnects.exercise",
            greeted,
            [WELCOME, "closed with 1001 Idle timeout"],
            ['os.environ["IDLE_TIMEOUT"] = "0.4"'],
            settings={"IDLE_TIMEOUT": "0.4"},
        ),
        "wrong_messages": Scene(
            "solutions.r04_errors.exercise",
            wrong_messages,
            [
                "refused with HTTP 401",
                "WWW-Authenticate: Bearer",
                '{"detail":"Unauthorized"}',
                '{"type":"said","text":"Hi"}',
                '{"type":"error","detail":"Invalid JSON: expected ident at line 1 '
                'column 2"}',
                '{"type":"error","detail":"type: Field required"}',
                "closed with 1008 Too many invalid messages",
            ],
            ["status_code == 401"],
        ),
        "origins": Scene(
            "solutions.r07_oauth2.exercise",
            knocked("/chat/ws", "http://evil.example", "http://{address}"),
            [
                "refused with HTTP 403",
                '{"detail":"Forbidden"}',
                "refused with HTTP 401",
                '{"detail":"Unauthorized"}',
            ],
            ["status_code == 403", "status_code == 401"],
        ),
    }


ODD = '''\
"""Ends of a connection that no recipe has."""

import asyncio

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

app = FastAPI()
heard: list[str] = []


class TooEarly(Exception):
    pass


@app.websocket("/asserts")
async def asserts(websocket: WebSocket) -> None:
    await websocket.accept()
    assert await websocket.receive_text() == "the password"


@app.websocket("/ws")
async def crashes_late(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Hi!")
    await websocket.close(4000, "Bye")
    await websocket.receive()
    raise ValueError


@app.websocket("/early")
async def crashes_early(websocket: WebSocket) -> None:
    raise TooEarly


@app.websocket("/away")
async def away(websocket: WebSocket) -> None:
    headers = {"Location": "/login"}
    await websocket.send_denial_response(PlainTextResponse("Pay first", 402, headers))


@app.websocket("/ears")
async def ears(websocket: WebSocket) -> None:
    await websocket.accept()
    while not heard:
        await asyncio.sleep(0.01)
    await websocket.send_text(heard.pop())
    await websocket.receive()


@app.websocket("/mouth")
async def mouth(websocket: WebSocket) -> None:
    await websocket.accept()
    if text := (await websocket.receive()).get("text"):
        heard.append(text)
        raise LookupError
'''


@dataclass(frozen=True)
class Held:
    """A scene that was held."""

    scene: Scene
    exchanges: list[Exchange]
    crashes: list[str]

    def test(self) -> str:
        scene = self.scene
        held = self.exchanges
        return as_test(held, scene.module, scene.settings, crashes=self.crashes)

    def test_without_log(self) -> str:
        return as_test(self.exchanges, self.scene.module, self.scene.settings)

    def wrong_test(self) -> str | None:
        """A test that must fail: the last that was received is something else."""
        exchanges = [replace(e, frames=list(e.frames)) for e in self.exchanges]
        for exchange in reversed(exchanges):
            if isinstance(exchange.end, Refused) and exchange.end.status != 403:
                exchange.end = replace(exchange.end, status=418)
                break
            kinds = [f.kind if not f.sent else "" for f in exchange.frames]
            places = [n for n, kind in enumerate(kinds) if kind in {"text", "binary"}]
            if places:
                right = exchange.frames[places[-1]]
                wrong = b'["wrong"]' if right.data.startswith(b"{") else b"wrong"
                exchange.frames[places[-1]] = right._replace(data=wrong)
                break
        else:
            return None
        # A crash that is expected may be what ends the test, and is shown then.
        lost = any(e.end == Closed("server", 1006, "") for e in exchanges)
        crashes = None if lost else self.crashes
        return as_test(
            exchanges, self.scene.module, self.scene.settings, crashes=crashes
        )


def exchange(url: str, *frames: str, end: Any = None, **target: Any) -> Exchange:
    """An exchange as it was noted by hand: `> Hello!` was sent, `< Hi!` received."""
    sent = [Frame(n, f[0] == ">", "text", f[2:].encode()) for n, f in enumerate(frames)]
    ended = float(len(frames)) if end else 0.0
    return Exchange(Target(url, **target), 0.0, sent, ended=ended, end=end)


NOWHERE = "ws://127.0.0.1:9/ws"
FORBIDDEN = Refused(403, "Forbidden", [], b"")
# Tests of what is not so.
MUST_FAIL: dict[str, Callable[[], str]] = {
    # The app accepts, and its handler raises WebSocketDisconnect when we leave.
    "let_in": lambda: as_test([exchange(NOWHERE, end=FORBIDDEN)], R02),
    # The app closes instead of the second message.
    "closed_early": lambda: as_test(
        [exchange(NOWHERE, f"< {WELCOME}", "< And?")], f"{R01}.main"
    ),
    "no_crash": lambda: as_test(
        [exchange(NOWHERE, f"< {WELCOME}", end=Closed("server", 1006, ""))],
        f"{R01}.demo_no_close",
        crashes=["KeyError"],
    ),
    "other_crash": lambda: as_test(
        [exchange(NOWHERE, end=Closed("server", 1006, ""))],
        "odd",
        crashes=["Terrible"],
    ),
    "not_denied": lambda: as_test(
        [exchange(NOWHERE, end=Refused(401, "Unauthorized", [], b""))],
        f"{R04}.main",
    ),
    "denied": lambda: as_test([exchange(NOWHERE)], f"{R04}.step1_close_codes"),
}


@dataclass(frozen=True)
class Run:
    """What a command said, and its exit status."""

    status: int
    said: str
    complained: str


def run(*arguments: str | Path) -> Run:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=catalog.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=BOUND,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def run_tests(folder: Path) -> dict[str, str]:
    """Run all tests in a folder, as from the workbook's; what each ended with."""
    report = folder / "report.xml"
    options = ["-c", "pyproject.toml", "-q", "-p", "no:cacheprovider"]
    # A test that waits for ever is not waited for.
    options += ["-o", f"faulthandler_timeout={PATIENCE}"]
    options += ["-o", "faulthandler_exit_on_timeout=true"]
    options += ["-o", f"pythonpath=. {folder.parent}"]
    done = run("-m", "pytest", *options, f"--junitxml={report}", folder)
    assert report.is_file(), done
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [child for child in case if child.tag in {"failure", "error", "skipped"}]
        name = case.attrib["classname"].rpartition(".")[2].removeprefix("test_")
        outcomes[name] = bad[0].attrib["message"] if bad else "passed"
    return outcomes


@dataclass
class Proof:
    """All scenes, held once, and what became of them when they were repeated."""

    folder: Path
    held: dict[str, Held]
    scripts: dict[str, Run]
    tests: dict[str, str]


def hold(scene: Scene, server: AppServer) -> Held:
    since = server.count()
    stage = Stage(f"127.0.0.1:{server.port}")
    scene.hold(stage)
    if scene.crash:
        logged = server.wait_for(
            lambda report: report.get("kind") == scene.crash, PATIENCE, since
        )
        assert logged, scene.crash
    crashes = [crash.kind for crash in server.crashes(since)]
    exchanges = [console.exchange for console in stage.consoles]
    # What comes from here on is no part of the scene.
    exchanges = [replace(each, frames=list(each.frames)) for each in exchanges]
    for console in stage.consoles:
        console.stack.close()
    return Held(scene, exchanges, crashes)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "tests").mkdir()
    odd = folder / "odd.py"
    odd.write_text(ODD)
    apps = {(scene.module, *scene.settings.items()): scene for scene in SCENES.values()}
    with ThreadPoolExecutor(4) as pool, ExitStack() as stack:
        started = {
            app: pool.submit(
                AppServer,
                scene.module,
                odd if scene.module == "odd" else None,
                scene.settings,
            )
            for app, scene in apps.items()
        }
        servers = {app: future.result() for app, future in started.items()}
        for server in servers.values():
            stack.callback(server.kill)
        held = {
            name: hold(scene, servers[scene.module, *scene.settings.items()])
            for name, scene in SCENES.items()
        }
        for name, each in held.items():
            (folder / f"{name}.py").write_text(as_python(each.exchanges))
            tests = {
                f"test_{name}": each.test(),
                f"test_{name}_without_log": each.test_without_log(),
                f"test_{name}_wrong": each.wrong_test(),
            }
            for file, text in tests.items():
                if text is not None:
                    (folder / "tests" / f"{file}.py").write_text(text)
        for name, wrong in MUST_FAIL.items():
            (folder / "tests" / f"test_{name}.py").write_text(wrong())
        tests_run = pool.submit(run_tests, folder / "tests")
        # One after the other at each server: a chat's room is shared.
        scripts: dict[str, Run] = {}

        def run_scripts(module: str) -> None:
            for name, scene in SCENES.items():
                if scene.module == module:
                    scripts[name] = run(folder / f"{name}.py")

        list(pool.map(run_scripts, {scene.module for scene in SCENES.values()}))
        yield Proof(folder, held, scripts, tests_run.result())


def by_console(lines: list[str]) -> list[str]:
    """Lines in the order of each console: what two receive at once has no order."""
    return sorted(lines, key=lambda line: line.partition(" ")[0])


@pytest.mark.parametrize("name", SCENES)
def test_the_script_holds_it_again(proof: Proof, name: str) -> None:
    done, said = proof.scripts[name], list(SCENES[name].said)
    assert done.status == 0, done
    lines = done.said.splitlines()
    if len(proof.held[name].exchanges) > 1 and "refused" not in done.said:
        lines, said = by_console(lines), by_console(said)
    assert lines == said
    assert done.complained == ""


@pytest.mark.parametrize("name", SCENES)
def test_the_test_passes(proof: Proof, name: str) -> None:
    assert proof.tests[name] == "passed"
    expected: str | None = "passed"
    if name == "crashed_late":
        expected = "ValueError"
    elif name == "crashed_early":  # a handler that says nothing ends like this, too
        expected = None
    assert proof.tests.get(f"{name}_without_log") == expected
    for line in SCENES[name].asserts:
        assert line in proof.held[name].test()


@pytest.mark.parametrize("name", SCENES)
def test_the_test_can_fail(proof: Proof, name: str) -> None:
    wrong = proof.held[name].wrong_test()
    outcome = proof.tests.get(f"{name}_wrong", "")
    if wrong is None:
        # Nothing can be wrong: see what must not pass, below.
        assert not outcome
    elif name == "crashed_early":
        assert outcome == "odd.TooEarly"
    else:
        assert re.match("(AssertionError|assert )", outcome)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("let_in", "assert not True"),
        ("closed_early", "starlette.websockets.WebSocketDisconnect"),
        ("no_crash", "Failed: DID NOT RAISE KeyError"),
        ("other_crash", "AssertionError: check "),
        ("not_denied", "Failed: DID NOT RAISE WebSocketDenialResponse"),
        ("denied", "starlette.websockets.WebSocketDisconnect"),
    ],
)
def test_what_is_not_so_fails(proof: Proof, name: str, outcome: str) -> None:
    assert proof.tests[name].startswith(outcome)


def test_they_are_clean(proof: Proof) -> None:
    options = ["--isolated", "--no-cache"]
    options += ["--config", 'lint.isort.known-first-party=["odd"]']
    for command in (["check"], ["format", "--check", "--diff"]):
        done = run("-m", "ruff", *command, *options, proof.folder)
        assert done.status == 0, done.said


# The script, when the server does something else


@pytest.mark.parametrize("token", [None, TokenRequest("/token", FORM)])
def test_nobody_answers(tmp_path: Path, token: TokenRequest | None) -> None:
    held = exchange(NOWHERE, "< Hi!", token=token)
    (tmp_path / "script.py").write_text(as_python([held]))
    done = run(tmp_path / "script.py")
    assert done.status == 1
    assert done.said == ""
    assert re.fullmatch(
        r"No conversation: .*(Connect call|connection attempts) failed.*\. "
        r"Is the server running\?\n",
        done.complained,
    )


@pytest.mark.parametrize(
    ("held", "complaint"),
    [
        (exchange("/nope", "< Hi!"), "No conversation: .* HTTP 403. Is the server"),
        (exchange("/ws", end=FORBIDDEN), "This time, the server accepted"),
        (
            exchange("/ws", f"< {WELCOME}", "> disconnect", "< And?"),
            r"No conversation: received 1000 \(OK\) Disconnecting",
        ),
    ],
)
def test_the_server_does_something_else(
    proof: Proof, tmp_path: Path, held: Exchange, complaint: str
) -> None:
    url = proof.held["bad_message"].exchanges[0].target.url
    held.target = replace(held.target, url=url.replace("/ws", held.target.url))
    (tmp_path / "script.py").write_text(as_python([held]))
    done = run(tmp_path / "script.py")
    assert done.status == 1
    assert re.match(complaint, done.complained)


# What cannot be tried with a server


def script_and_test(*held: Exchange, **options: Any) -> tuple[str, str]:
    return as_python(held), as_test(held, "recipes.r01_setup.main", **options)


def test_nothing_to_repeat() -> None:
    failed = exchange(NOWHERE, end=Failed("Nobody listens\nimport os"))
    for text in script_and_test(failed):
        assert ast.get_docstring(ast.parse(text)) == (
            "Nothing was said here that could be said again."
        )
        assert (
            r"# ws://127.0.0.1:9/ws gave no answer: Nobody listens\nimport os" in text
        )
    for text in script_and_test():
        assert text == '"""Nothing was said here that could be said again."""\n'


def test_an_attempt_that_failed_is_told_beside_another() -> None:
    failed = exchange(NOWHERE, end=Failed("Nobody listens."))
    for text in script_and_test(failed, exchange(NOWHERE, "< Hi!")):
        assert "# ws://127.0.0.1:9/ws gave no answer: Nobody listens." in text
        assert "websocket.rec" in text


def test_the_server_takes_too_long(
    proof: Proof, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.workbench.scripts.PATIENCE", 1)
    url = proof.held["open"].exchanges[0].target.url
    held = exchange(url, f"< {WELCOME}", "< And?")
    (tmp_path / "script.py").write_text(as_python([held]))
    done = run(tmp_path / "script.py")
    assert done.status == 1
    assert done.complained == "This time, the server took too long.\n"


def test_frames_that_are_gone_end_it() -> None:
    long = exchange("ws://h/ada", "> 0", "< 1", end=Closed("server", 1008, "x"))
    long.left_out = 7
    other = exchange("ws://h/bob", "> 2")
    other.frames.append(Frame(5.0, False, "text", b"because of what is gone"))
    for text in script_and_test(long, other):
        assert "# 7 more frames are left out" in text
        assert "bob.send" in text
        assert "gone" not in text
        assert "1008" not in text


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (Closed("server", 1012, ""), "The server was stopped here (1012)."),
        (Closed("server", 1011, "keepalive ping timeout"), "in vain for a pong"),
    ],
)
def test_what_the_server_itself_closes_is_not_waited_for(
    end: Closed, sentence: str
) -> None:
    for text in script_and_test(exchange(NOWHERE, "< Hi!", end=end)):
        assert sentence in text
        assert "wait_closed" not in text
        assert "receive()" not in text


def test_a_consequence_comes_after_its_cause() -> None:
    ada = exchange("ws://h/ada")
    ada.frames.append(Frame(4.99, False, "text", b"bob joined"))
    bob = exchange("ws://h/bob", "< Hi bob!")
    bob.began, bob.frames[0] = 5.0, bob.frames[0]._replace(at=5.01)
    bob.ended, bob.end = 7.0, Closed("client", 1006, "")
    ada.frames.append(Frame(6.99, False, "text", b"bob left"))
    for text, opened, cut in [
        (as_python([ada, bob]), "/bob", "bob.transport.abort()"),
        (as_test([ada, bob], R05), "/bob", "bob.close(1005)"),
    ]:
        order = [opened, "bob joined", "Hi bob!", cut, "bob left"]
        places = [text.index(each) for each in order]
        assert places == sorted(places), text


def test_what_came_earlier_stays_earlier() -> None:
    ada = exchange("ws://h/ada", "< Hi ada!")
    bob = exchange("ws://h/bob", "< Hi bob!")
    bob.began, bob.frames[0] = 5.0, bob.frames[0]._replace(at=5.01)
    for text in script_and_test(ada, bob):
        assert text.index("Hi ada!") < text.index("/bob")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/ada", "/a/bob"], ["ada", "bob"]),
        (["/a/ada?b", "/a/Bob/"], ["ada", "bob"]),
        (["/ada", "/ada"], ["first", "second"]),
        (["/ada", "/client"], ["first", "second"]),
        (["/ada", "/print"], ["first", "second"]),
        (["/ada", "/class"], ["first", "second"]),
        (["/ada", "/l"], ["first", "second"]),
        (["/ada", "/b-b"], ["first", "second"]),
        (["/ada", "/%62ob"], ["first", "second"]),
        (["/ada", "/\u0430da"], ["first", "second"]),
        (["/x"] * 9, [*ORDINALS, "number_8", "number_9"]),
        (["/ada"], ["websocket"]),
    ],
)
def test_names(paths: list[str], names: list[str]) -> None:
    held = [exchange(f"ws://h{path}", "< Hi!") for path in paths]
    for text in script_and_test(*held):
        found = re.findall(r"(?: as |\b)(\w+)(?=,?\n|:\n| = )", text)
        assert [name for name in dict.fromkeys(found) if name in names] == names
        ast.parse(text)


@pytest.mark.parametrize("text", ["".join(pair) for pair in product(NASTY, repeat=2)])
def test_literals(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert ast.literal_eval(literal(text.encode())) == text.encode()
    assert literal(text).isprintable()


def test_what_a_user_typed_stays_in_its_literal() -> None:
    """No text of the page's user or of the server becomes code, nor ends a comment."""
    evil = "\"\"\"'''\n\r\u2028\\\nraise CANARY\n#{CANARY}"
    token = TokenRequest(f"/{evil}", {evil: evil, "b": evil})
    target = Target(f"ws://h:1/{evil}", ((evil, evil),), (evil,), evil, token)
    refused = Refused(401, evil, [("Location", f"/{evil}")], evil.encode())
    ends = [Closed("server", 1008, evil), Closed("client", 4000, evil), None]
    held = [
        replace(exchange("", f"< {evil}", f"> {evil}", end=end), target=target)
        for end in [*ends, refused, Failed(evil), Closed("server", 1006, "")]
    ]
    settings = {evil: evil}
    for crashes in (None, [], [evil]):
        for each in [*([one] for one in held), held]:
            texts = as_python(each), as_test(each, R02, settings, crashes=crashes)
            for text in texts:
                tree = ast.parse(text)
                assert "CANARY" not in {
                    node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
                }
                assert all(c == "\n" or c.isprintable() for c in text)


def test_a_module_is_no_code() -> None:
    for module in ("os; import sys", "a..b", "", "a.class", "a\nb"):
        with pytest.raises(ValueError, match="is no name of a module"):
            as_test([], module)


@pytest.mark.parametrize("text", ["[NaN]", "[1e999]", "[" * 15 + "]" * 15, "7", "{,}"])
def test_json_that_is_compared_as_text(text: str) -> None:
    test = as_test([exchange(NOWHERE, f"< {text}")], R02)
    assert f'websocket.receive_text() == "{text}"' in test


def test_bounds() -> None:
    """A script waits longer where the server itself let the console wait."""
    slow = exchange(NOWHERE, "< 0", "> 1")
    slow.frames.append(Frame(41.5, False, "text", b"at last"))
    assert "asyncio.timeout(61)" in as_python([slow])
    thoughtful = exchange(NOWHERE, "< 0")
    thoughtful.frames.append(Frame(41.5, True, "text", b"at last"))
    assert "asyncio.timeout(20)" in as_python([thoughtful])
    assert "max_size" not in as_python([exchange(NOWHERE, f"< {'x' * 2**20}")])
    assert "max_size=None" in as_python([exchange(NOWHERE, f"< {'x' * 2**20}x")])


def test_pings() -> None:
    """Only what the library does not do by itself; no pong is waited for in vain."""
    console = exchange(NOWHERE)
    kinds = [
        "<ping a",
        ">pong a",
        ">ping b",
        "<pong b",
        ">ping c",
        ">pong d",
        "<pong e",
    ]
    for at, each in enumerate(kinds):
        kind, data = each[1:].split()
        console.frames.append(Frame(at, each[0] == ">", kind, data.encode()))
    lines = [line.strip() for line in as_python([console]).splitlines()]
    assert [
        line for line in lines if "websocket.p" in line or "await pong" in line
    ] == [
        'pong = await websocket.ping(b"b")',
        "await pong",
        'await websocket.ping(b"c")',
        'await websocket.pong(b"d")',
    ]


@pytest.mark.parametrize(
    ("end", "call"),
    [
        (Closed("client", 1000, ""), "close()"),
        (Closed("client", 1000, "Bye"), 'close(reason="Bye")'),
        (Closed("client", 1001, ""), "close(1001)"),
        (Closed("client", 4001, "Bye"), 'close(4001, "Bye")'),
    ],
)
def test_own_close(end: Closed, call: str) -> None:
    for text in script_and_test(exchange(NOWHERE, end=end)):
        assert f"websocket.{call}" in text


def test_a_message_that_was_not_finished() -> None:
    console = exchange(NOWHERE, "< Hi!", "> the beginning")
    console.frames[-1] = console.frames[-1]._replace(final=False)
    for text in script_and_test(console):
        assert "# A message was begun here, and never finished." in text
        assert "the beginning" not in text


@pytest.mark.parametrize("text", ["noqa: F401", "see type: ignore", "fmt: off"])
def test_no_comment_is_an_order_to_a_tool(text: str) -> None:
    assert f"# {text}" not in as_python([exchange(NOWHERE, f"< {text}")])
    assert "# a type" in as_python([exchange(NOWHERE, "< a type")])


@pytest.mark.parametrize(
    ("crashes", "way"),
    [
        ([], "client.websocket_connect"),
        (["KeyError"], "leaving(client.websocket_connect"),
        (["KeyError", "ValueError"], "leaving(client.websocket_connect"),
        (["KeyError", "KeyError"], "pytest.raises(KeyError)"),
    ],
)
def test_which_of_two_crashed(crashes: list[str], way: str) -> None:
    """If that is not known, the end of neither is judged."""
    lost = Closed("server", 1006, "")
    first, second = exchange(NOWHERE, end=lost), exchange(NOWHERE, end=lost)
    second.began, second.ended = 1.0, 2.0
    test = as_test([first, second], R02, crashes=crashes)
    assert test.count(f"with {way}") == 2
    assert ("suppress(Exception)" in test) == ("leaving" in way)


def test_a_token_is_fetched_only_for_who_got_an_answer() -> None:
    token = TokenRequest("/token", FORM)
    failed = exchange(NOWHERE, end=Failed("Nobody listens."), token=token)
    for text in script_and_test(failed, exchange(NOWHERE, "< Hi!")):
        assert "token" not in text
    script, _ = script_and_test(exchange(NOWHERE, "< Hi!", token=token))
    assert "trust_env=False" in script  # no proxy for this machine


def test_a_crash_before_accept_while_another_talks() -> None:
    error = Refused(500, "Internal Server Error", [], b"Internal Server Error")
    crashed, other = exchange(NOWHERE, end=error), exchange(NOWHERE, "< Hi!")
    crashed.began, crashed.ended, other.began = 0.5, 3.0, 1.0
    other.frames[0] = other.frames[0]._replace(at=2.0)
    test = as_test([crashed, other], R02, crashes=["KeyError"])
    client, knock = (
        "    with TestClient(app) as client:\n",
        "        with pytest.raises(",
    )
    assert client + knock in test
