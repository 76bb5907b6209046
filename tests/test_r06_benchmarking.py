"""Recipe 6: a fast chat, and the benchmark that says so; its exercise is an outbox."""

import asyncio
import json
import os
import re
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.frames import Opcode
from websockets.sync.client import connect

from recipes.workbench import catalog
from recipes.workbench.judging import (
    Client,
    LiveClient,
    RawSession,
    Session,
    a_room_of_twenty_loses_six,
    closed,
    masked,
    said,
    system,
)
from recipes.workbench.servers.server import AppServer

COMPARE = [sys.executable, "-m", "recipes.r06_benchmarking.compare"]
STEPS = [
    *("step1_naive", "step2_encode_once", "step3_in_turn", "step4_isolated"),
    *("step5_raw_send", "step6_shared_frame", "main"),
]
each_step = pytest.mark.parametrize(
    "step", [pytest.param(step, marks=pytest.mark.module(step)) for step in STEPS]
)


@each_step
def test_the_chat(client: Client, step: str) -> None:
    with client.websocket_connect("/chatroom/ada") as ada:
        for end in (b"bytes", "é" * 32_769, None):
            with client.websocket_connect("/chatroom/bob") as bob:
                assert ada.receive_json() == system("bob joined the chat")
                for text in ("Hello!", "", "名前", "x" * 65_536):
                    bob.send_text(text)
                    assert bob.receive_json() == said("You", text)
                    assert ada.receive_json() == said("bob", text)
                if isinstance(end, bytes):
                    bob.send_bytes(end)
                    assert bob.receive() == closed(1003, "Text only")
                elif end:
                    bob.send_text(end)
                    assert bob.receive()["code"] == 1009
            assert ada.receive_json() == system("bob left the chat")
    assert ("INFO", "bob says: Hello!") in client.log
    for name in ("system", "%20", "x" * 33):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect(f"/chatroom/{name}"),
        ):
            pass


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5, CLOSE_TIMEOUT=0.5)
@each_step
def test_a_room_of_twenty_loses_six(client: LiveClient, step: str) -> None:
    a_room_of_twenty_loses_six(client)


# Batches


def messages(session: Session, count: int) -> list[dict[str, Any]]:
    """So many messages of a batched client."""
    came: list[dict[str, Any]] = []
    while len(came) < count:
        batch = session.receive_json()
        assert 1 <= len(batch) <= 256
        came += batch
    assert len(came) == count
    return came


def test_batches(client: Client) -> None:
    with (
        client.websocket_connect("/chatroom/ada", ["chat.batch.v1"]) as ada,
        client.websocket_connect("/chatroom/bob", ["other", "chat.batch.v1"]) as bob,
        client.websocket_connect("/chatroom/cy") as cy,
    ):
        chosen = [each.accepted_subprotocol for each in (ada, bob, cy)]
        assert chosen == ["chat.batch.v1", "chat.batch.v1", None]
        joined = [system(f"{name} joined the chat") for name in ("bob", "cy")]
        assert messages(ada, 2) == joined
        assert messages(bob, 1) == joined[1:]
        texts = [f"{n}" for n in range(700)]
        for text in texts:
            ada.send_text(text)
        cy.send_text("And I")
        mine = messages(ada, 701)
        assert [m for m in mine if m["sender"] == "You"] == [
            said("You", text) for text in texts
        ]
        assert said("cy", "And I") in mine
        theirs = messages(bob, 701)
        assert [m for m in theirs if m["sender"] == "ada"] == [
            said("ada", text) for text in texts
        ]
        for text in texts:
            message = cy.receive_json()
            if message["sender"] == "You":
                message = cy.receive_json()
            assert message == said("ada", text)


def test_batches_are_bounded_in_size(client: Client) -> None:
    with (
        client.websocket_connect("/chatroom/bob", ["chat.batch.v1"]) as bob,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        for _ in range(25):
            ada.send_text("x" * 60_000)
        came = 0
        while came < 26:
            text = bob.receive_text()
            assert len(text.encode()) < 2**20
            came += len(json.loads(text))


@pytest.mark.live
def test_a_batched_client_has_its_answers_before_the_close(client: LiveClient) -> None:
    with client.websocket_connect("/chatroom/ada", ["chat.batch.v1"]) as ada:
        ada.send_text("hi")
        ada.send_bytes(b"bytes")
        assert ada.receive_json() == [said("You", "hi")]
        assert ada.receive() == closed(1003, "Text only")


# Slow readers


def stall(client: LiveClient, ada: Session, until: dict[str, Any]) -> int:
    """Let ada talk until she gets a certain message; how often she said something."""
    for n in range(5_000):
        ada.send_text(f"{n} " + "x" * 8_000)
        came = [ada.receive_json()]
        while came[-1]["sender"] != "You":
            came.append(ada.receive_json())
        if until in came:
            return n + 1
    raise AssertionError("nobody was let go")


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=1, CLOSE_TIMEOUT=1)
def test_who_reads_again_is_told(client: LiveClient) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096) as deaf,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        said = stall(client, ada, system("deaf left the chat"))
        came = []
        while (message := deaf.receive())["type"] == "websocket.send":
            text = json.loads(message["text"])["message"]
            came += [text.split()[0]] if text.endswith("x") else []
        assert came == [f"{n}" for n in range(len(came))]
        assert len(came) < said
        assert message == closed(1013, "Too slow")


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5, CLOSE_TIMEOUT=0.5)
def test_who_never_reads_is_reset(client: LiveClient) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096) as deaf,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        stall(client, ada, system("deaf left the chat"))
        # A handler that has ended, and a connection that is no more.
        assert client.server.handler_ended(deaf.peer, 2, client.since)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            if deaf.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the connection was not reset")
        ada.send_text("Still here")
        assert ada.receive_json() == said("You", "Still here")


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5, CLOSE_TIMEOUT=0.3)
def test_who_is_gone_before_the_reset(client: LiveClient) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096) as deaf,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        stall(client, ada, system("deaf left the chat"))
        deaf.cut()
        # Past the moment of the reset: it must find nothing, and leave no traceback.
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            ada.send_text("Still here")
            assert ada.receive_json() == said("You", "Still here")


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=60)
def test_ctrl_c_with_a_client_that_does_not_read(client: LiveClient) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096) as deaf,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        for _ in range(100):
            ada.send_text("x" * 8_000)
            ada.receive_json()
        assert client.shut_down()
        assert ada.receive()["code"] == 1012
        deaf.cut()


# A burst: a handler that never waits would starve its neighbours


class Readers:
    """Raw clients who read all the time, in a thread, and keep what came."""

    def __init__(self, sessions: list[RawSession]) -> None:
        self.came = {session.socket: bytearray() for session in sessions}
        self.ended = False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in self.came:
                selector.register(each, selectors.EVENT_READ)
            while not self.ended:
                for key, _ in selector.select(0.05):
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(2**18)
                    if not data:
                        selector.unregister(key.fileobj)
                    self.came[key.fileobj] += data

    def has(self, text: bytes) -> bool:
        return all(text in came[-1_000:] for came in self.came.values())

    def end(self) -> None:
        self.ended = True
        self.thread.join()


def a_burst(client: LiveClient, texts: int, readers: int = 20) -> None:
    """One writes thousands of texts at once; another's echoes come in time."""
    with ExitStack() as stack:
        names = [f"reader{n}" for n in range(readers)]
        sessions = [
            stack.enter_context(client.raw(f"/chatroom/{name}")) for name in names
        ]
        ada = stack.enter_context(client.websocket_connect("/chatroom/ada"))
        flood = stack.enter_context(client.raw("/chatroom/flood"))
        for session in (*sessions, ada):
            while session.receive_json() != system("flood joined the chat"):
                pass
        reading = Readers([*sessions, flood])
        stack.callback(reading.end)
        burst = b"".join(masked(Opcode.TEXT, b"%d." % n) for n in range(texts))
        began = time.monotonic()
        flood.write(burst)
        last, echoes, heard = f"{texts - 1}.", [], 0
        while heard < texts:
            since = time.monotonic()
            ada.send_text("Do I still get a turn?")
            while (message := ada.receive_json())["sender"] != "You":
                assert message == said("flood", f"{heard}.")
                heard += 1
            echoes.append(time.monotonic() - since)
            for _ in range(min(200, texts - heard)):
                assert ada.receive_json() == said("flood", f"{heard}.")
                heard += 1
        took = time.monotonic() - began
        deadline = time.monotonic() + 20
        while not reading.has(last.encode()) and time.monotonic() < deadline:
            time.sleep(0.05)
        reading.end()
        everything = [b"%d" % n for n in range(texts)]
        for came in reading.came.values():
            assert re.findall(rb'"message": "(\d+)\.', came) == everything
        # Who gets no turn hears the first echo when the burst is over. In seconds it
        # is measured by `compare`.
        assert len(echoes) > 5
        assert statistics.median(echoes) < took / 5
        assert max(echoes) < took / 2
    assert not any(level == "WARNING" for level, _ in client.log)


@pytest.mark.slow
@pytest.mark.live
@each_step
def test_a_burst_starves_nobody(client: LiveClient, step: str) -> None:
    # Those that send in tasks or in turn take longer for it all.
    a_burst(client, 10_000 if step >= "step4" or step == "main" else 3_000)


@pytest.mark.slow
@pytest.mark.skipif(not catalog.SOLUTIONS.is_dir(), reason="for where solutions/ is")
def test_a_burst_starves_nobody_in_the_reference() -> None:
    name = "recipes.r06_benchmarking.exercise"
    server = AppServer(name, catalog.solution("r06_benchmarking"))
    try:
        with LiveClient(server) as client:
            a_burst(client, 10_000)
    finally:
        server.kill()


@pytest.mark.skipif(not catalog.SOLUTIONS.is_dir(), reason="for where solutions/ is")
def test_who_reads_survives_that_many_leave_at_once_in_the_reference() -> None:
    """More than `limit` notices in one moment do not fill a reader's outbox."""
    name = "recipes.r06_benchmarking.exercise"
    settings = {"OUTBOX_LIMIT": 10}
    server = AppServer(name, catalog.solution("r06_benchmarking"), settings)
    try:
        with (
            LiveClient(server) as client,
            client.websocket_connect("/chatroom/ada") as ada,
        ):
            crowd = [client.raw(f"/chatroom/{n}") for n in range(60)]
            for each in crowd:
                each.__enter__()
            for each in crowd:
                each.socket.close()
            told = [ada.receive_json()["message"] for _ in range(120)]
            left = {f"{n} left the chat" for n in range(60)}
            assert {message for message in told if "left" in message} == left
            ada.send_text("Still here")
            assert ada.receive_json() == said("You", "Still here")
    finally:
        server.kill()


# Bounds in bytes


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=20)
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=pytest.mark.module(step))
        for step in ("step4_isolated", "step6_shared_frame", "main")
    ],
)
def test_a_backlog_is_bounded_in_bytes(client: LiveClient, step: str) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096),
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        told = system("deaf left the chat")
        bytes_said = 0
        while bytes_said < 6 * 2**20:
            ada.send_text("🙂" * 15_000)
            came = [ada.receive_json()]
            while came[-1]["sender"] != "You":
                came.append(ada.receive_json())
            if told in came:
                break
            bytes_said += 60_000
        # What the system and the transport took before is up to 0.3 MiB.
        assert 3.5 * 2**20 < bytes_said < 5 * 2**20
    assert ("WARNING", "deaf is let go: more than 4,194,304 bytes wait") in client.log


@pytest.mark.parametrize("text", ["🙂" * 12_000, "\0" * 8_000, "\0" * 65_536])
def test_batches_are_bounded_in_bytes(client: Client, text: str) -> None:
    with (
        client.websocket_connect("/chatroom/bob", ["chat.batch.v1"]) as bob,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        assert messages(bob, 1) == [system("ada joined the chat")]
        for _ in range(12):
            ada.send_text(text)
        came = 0
        while came < 12:
            batch = bob.receive_text()
            told = json.loads(batch)
            # One message that is larger is a batch of its own.
            assert len(batch.encode()) <= 256 * 1024 or len(told) == 1
            assert told == [said("ada", text)] * len(told)
            came += len(told)


# Beneath ASGI


def test_frames_and_sends_never_overtake(client: Client) -> None:
    """Readers of all kinds: plain, compressed, in batches; in the order of ada's."""
    with (
        client.websocket_connect("/chatroom/bob") as bob,
        client.websocket_connect("/chatroom/cy", ["chat.batch.v1"]) as cy,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        assert bob.receive_json() == system("cy joined the chat")
        for session, count in ((bob, 1), (cy, 1)):
            came = messages(cy, 1) if session is cy else [bob.receive_json()]
            assert came == [system("ada joined the chat")] * count
        texts = [f"{n} " + "x" * (n % 7 * 500) for n in range(300)]
        for text in texts:
            ada.send_text(text)
        assert [bob.receive_json() for _ in texts] == [said("ada", t) for t in texts]
        assert [ada.receive_json() for _ in texts] == [said("You", t) for t in texts]
        assert messages(cy, 300) == [said("ada", t) for t in texts]


@pytest.mark.live
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=pytest.mark.module(step))
        for step in ("step6_shared_frame", "main")
    ],
)
def test_who_falls_behind_and_catches_up_finds_the_order(
    client: LiveClient, step: str
) -> None:
    """Frames are written past uvicorn, then sent by it, then written again."""
    with (
        client.raw("/chatroom/slow", window=4096) as slow,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        assert slow.receive_json() == system("ada joined the chat")
        for turn in range(20):
            numbers = range(turn * 60, turn * 60 + 60)
            talks(ada, numbers)
            # In its own talk the answers are sends, and the others' texts frames.
            slow.send_text(f"turn {turn}")
            assert list(heard(slow, 60)) == [f"{n}" for n in numbers]
            while (message := slow.receive_json()) != said("You", f"turn {turn}"):
                raise AssertionError(message)


def test_it_says_once_what_is_out_of_reach() -> None:
    app = "recipes.r06_benchmarking.main:app"
    for options, wanted, at_start in [
        (["--log-level", "trace"], "connections are out of reach", True),
        (["--ws", "websockets"], "Frames are not shared", True),
        (["--lifespan", "off", "--log-level", "trace"], "are out of reach", False),
        ([], "", True),
    ]:
        command = [sys.executable, "-m", "uvicorn", app, "--port", "0", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        lines: list[str] = []
        assert process.stderr is not None
        try:
            for line in process.stderr:
                lines.append(line)
                if address := re.search(r"running on http://(\S+)", line):
                    url = f"ws://{address[1]}/chatroom"
                    break
            assert any(wanted in line for line in lines) == at_start
            with (
                connect(f"{url}/bob", proxy=None) as bob,
                connect(f"{url}/cy", proxy=None) as cy,
            ):
                assert json.loads(bob.recv(timeout=5)) == system("cy joined the chat")
                cy.send("Hello!")
                assert json.loads(bob.recv(timeout=5)) == said("cy", "Hello!")
        finally:
            process.terminate()
            lines += process.stderr
            process.wait(timeout=10)
            process.stderr.close()
        told = [line for line in lines if line.startswith("WARNING:")]
        wanted_lines = [line for line in told if wanted in line]
        assert len(wanted_lines) == 1 if wanted else told == []


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5, CLOSE_TIMEOUT=0.5)
@each_step
def test_who_is_let_go_and_why_is_in_the_log(client: LiveClient, step: str) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096),
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        stall(client, ada, system("deaf left the chat"))
    warnings = [message for level, message in client.log if level == "WARNING"]
    # On a busy machine more than may wait can come in that time.
    whys = ["it took nothing for 0.5 s", "more than 4,194,304 bytes wait"]
    assert warnings in [[f"deaf is let go: {why}"] for why in whys]


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=1)
@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=pytest.mark.module(step)) for step in STEPS[:3]]
)
def test_what_has_begun_reaches_everyone(client: LiveClient, step: str) -> None:
    """The sender is cut while its broadcast waits for one who does not read."""
    with (
        client.raw("/chatroom/deaf", window=4096),
        client.raw("/chatroom/ada") as ada,
        client.websocket_connect("/chatroom/bob") as bob,
    ):
        assert ada.receive_json() == system("bob joined the chat")
        texts = [f"{n} " + "x" * 60_000 for n in range(20)]
        for text in texts:
            ada.send_text(text)
        came = [bob.receive_json()]
        ada.cut()
        while came[-1] != system("ada left the chat"):
            came.append(bob.receive_json())
        numbers = [m["message"].split()[0] for m in came if m["sender"] == "ada"]
        assert numbers == [f"{n}" for n in range(len(numbers))]


@pytest.mark.parametrize("name", ["\u3164", "\u2800", "syst\u034fem", "ｓｙｓｔｅｍ"])
@each_step
def test_a_name_that_cannot_be_seen(client: Client, step: str, name: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"/chatroom/{quote(name)}"),
    ):
        pass


# The benchmark


def test_the_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from recipes.r06_benchmarking import benchmark_websocket

    lines = Path(benchmark_websocket.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    monkeypatch.setattr(benchmark_websocket, "ADDRESS", address)
    result = asyncio.run(benchmark_websocket.main(4))
    assert result[:3] == (12, 48, 48)
    assert 0 < result.seconds < 30
    assert "48 of 48 deliveries came" in capsys.readouterr().out


def test_the_script_notices_a_taken_port(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r06_benchmarking import benchmark_websocket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(benchmark_websocket, "ADDRESS", taken.getsockname())
        with pytest.raises(RuntimeError, match="is its port taken"):
            asyncio.run(benchmark_websocket.main(4))


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMPARE, "--clients=6", "--senders=2", "--messages=5", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_compare(tmp_path: Path) -> None:
    pytest.importorskip(
        "matplotlib", reason="plots are drawn with tests/requirements.txt installed"
    )
    figures, plot = tmp_path / "figures.json", tmp_path / "plot.png"
    apps = ["main@ws-per-message-deflate=false", "websockets", "step1_naive"]
    done = compare(
        *(f"--app={app}" for app in apps),
        *("--repeat=2", "--stalled=1", f"--json={figures}", f"--plot={plot}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(figures.read_text())
    assert list(results) == apps
    for result in results.values():
        assert result["expected"] == result["received"] == 2 * 5 * 6 * 2
        assert result["lost"] == result["doubled"] == result["out_of_order"] == 0
        assert result["closes"] == {"1000": 12}
        assert result["latency"]["p50"] <= result["latency"]["max"]
        assert result["cpu_us"] > result["cpu_us_spread"] >= 0
        assert 0 < result["turn"] < 10_000
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_compare_in_batches_and_paced() -> None:
    done = compare("--app=main", "--batch", "--rate=50", "--repeat=1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_compare_loses_nothing_in_a_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_PATIENCE", "0.2")
    done = compare("--app=main", "--rate=2", "--repeat=1", "--burst=0")
    assert done.returncode == 0, done.stdout + done.stderr


def test_compare_lets_each_server_begin_once() -> None:
    from recipes.r06_benchmarking.bench.cli import in_turns

    assert "".join(in_turns(["a", "b", "c"], 4)) == "abcbcacababc"


def test_compare_without_node_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = compare("--app=node", "--repeat=1")
    assert done.returncode == 2
    assert "--app node needs Node.js" in done.stdout
    if sys.platform != "win32":
        node = tmp_path / "node"
        node.write_text("#!/bin/sh\nexit 1\n")
        node.chmod(0o755)
        done = compare("--app=node", "--repeat=1")
        assert done.returncode == 2
        assert "npm install --no-save ws@8" in " ".join(done.stdout.split())


def test_compare_measures_the_floor() -> None:
    done = compare("--app=write", "--repeat=1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_compare_a_storm_up_to_the_limit() -> None:
    done = compare("--app=main", "--storm", "--find-limit", "--repeat=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 6 connections stood" in done.stdout
    assert "without notices" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is of Linux and macOS")
def test_compare_says_what_gave() -> None:
    command = [*COMPARE, "--app=main", "--find-limit", "--repeat=1"]
    command += ["--clients=300", "--senders=1", "--messages=1"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 150 && exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ulimit -n" in " ".join(done.stdout.split())


LOSING = """import recipes.r06_benchmarking.chat as chat
import recipes.r06_benchmarking.step4_isolated as step4

class Losing(step4.Isolated):
    lost = 0
    def put(self, websocket, text):
        if "user0" in text or "0 3 " not in text:
            super().put(websocket, text)

app = chat.create_app("Losing", Losing())
"""


def test_compare_tells_what_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "losing.py").write_text(LOSING)
    (tmp_path / "dying.py").write_text(
        LOSING.replace("super().put(websocket, text)", "import os; os._exit(1)")
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("BENCHMARK_PATIENCE", "1")
    for app, status, sentence in [
        ("losing:app", 1, "losing:app"),
        ("dying:app", 2, "died"),
        ("nowhere:app", 2, "nowhere:app does not start"),
    ]:
        done = compare(f"--app={app}", "--repeat=1")
        assert done.returncode == status, done.stdout + done.stderr
        assert sentence in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
    done = compare("--url=ws://127.0.0.1:9/chatroom", "--repeat=1")
    assert done.returncode == 2
    assert "no client could connect" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_compare_ends_with_ctrl_c() -> None:
    process = subprocess.Popen(
        [*COMPARE, "--app=main", "--messages=100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    psutil = pytest.importorskip("psutil")
    try:
        found: list[Any] = []
        deadline = time.monotonic() + 30
        while len(found) < 2 and time.monotonic() < deadline:
            found = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.1)
        assert len(found) >= 2
        os.kill(process.pid, signal.SIGINT)
        process.wait(timeout=15)
        _, alive = psutil.wait_procs(found, timeout=5)
        assert alive == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


# The exercise


def talks(ada: Session, numbers: range, word: str = "x" * 8_000) -> None:
    """Let ada say something for each number, and see it come back in time."""
    for n in numbers:
        ada.send_text(f"{n} {word}")
        message = ada.receive_json()
        while message["sender"] != "You":
            message = ada.receive_json()
        assert message["message"].startswith(f"{n} ")


def heard(session: Session, count: int) -> Iterator[str]:
    """The numbers of ada's next texts."""
    while count:
        message = session.receive_json()
        if message["sender"] == "ada":
            count -= 1
            yield message["message"].split()[0]


def heard_until_closed(session: Session, sender: str = "ada") -> list[str]:
    """What the sender said up to the close, which is that of one who is too slow."""
    came = []
    while (message := session.receive())["type"] == "websocket.send":
        told = json.loads(message["text"])
        came += [told["message"]] if told["sender"] == sender else []
    assert message == closed(1013, "Too slow")
    return came


@pytest.mark.live
def test_in_order(client: LiveClient) -> None:
    with ExitStack() as stack:
        names = [f"listener{n}" for n in range(4)]
        listeners = [
            stack.enter_context(client.websocket_connect(f"/chatroom/{name}"))
            for name in names
        ]
        ada = stack.enter_context(client.raw("/chatroom/ada"))
        # In one piece, so that the app has them all before it can send the first.
        texts = [masked(Opcode.TEXT, f"{n} of 1,000".encode()) for n in range(1_000)]
        ada.write(b"".join(texts))
        for n in range(1_000):
            assert ada.receive_json() == said("You", f"{n} of 1,000")
        for listener in listeners:
            assert list(heard(listener, 1_000)) == [f"{n}" for n in range(1_000)]


@pytest.mark.live
@pytest.mark.settings(OUTBOX_LIMIT=5)
def test_the_limit(client: LiveClient) -> None:
    with (
        client.websocket_connect("/chatroom/bob") as bob,
        client.websocket_connect("/chatroom/cy") as cy,
    ):
        assert bob.receive_json() == system("cy joined the chat")
        for _ in range(3):
            client.post("/news", params={"count": 5})
            for session in (bob, cy):
                came = [session.receive_json() for _ in range(5)]
                assert came == [system(f"news {n}") for n in range(5)]
        client.post("/news", params={"count": 6})
        for session in (bob, cy):
            came = [m for m in heard_until_closed(session, "system") if "left" not in m]
            assert came == [f"news {n}" for n in range(len(came))]
            assert len(came) <= 5


@pytest.mark.live
def test_nobody_waits(client: LiveClient) -> None:
    with (
        client.raw("/chatroom/deaf", window=4096),
        client.websocket_connect("/chatroom/bob") as bob,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        talks(ada, range(300))
        # In whichever order: that is another task's.
        assert {*heard(bob, 300)} == {f"{n}" for n in range(300)}
        bob.send_bytes(b"bytes")
        assert bob.receive() == closed(1003, "Text only")


@pytest.mark.live
def test_back_in_time(client: LiveClient) -> None:
    with (
        client.raw("/chatroom/slow", window=4096) as slow,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        talks(ada, range(90))
        assert list(heard(slow, 90)) == [f"{n}" for n in range(90)]
        talks(ada, range(90, 95))
        assert list(heard(slow, 5)) == [f"{n}" for n in range(90, 95)]


@pytest.mark.live
def test_too_late(client: LiveClient) -> None:
    with (
        client.websocket_connect("/chatroom/bob") as bob,
        client.raw("/chatroom/slow", window=4096) as slow,
        client.raw("/chatroom/deaf", window=4096) as deaf,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        talks(ada, range(400))
        came = list(heard(slow, 5))
        talks(ada, range(400, 405))
        came += [text.split()[0] for text in heard_until_closed(slow)]
        assert len(came) < 400
        assert came == [f"{n}" for n in range(len(came))]
        # The others have missed nothing, and hear once that each has left. One leaves
        # as it breaks a rule; that it does not read delays nobody's hearing of it.
        slow.socket.close()
        deaf.send_bytes(b"bytes")
        told: list[dict[str, Any]] = []
        left = [system(f"{name} left the chat") for name in ("slow", "deaf")]
        while not all(each in told for each in left):
            told.append(bob.receive_json())
        ada.send_text("That is all")
        while told[-1] != said("ada", "That is all"):
            told.append(bob.receive_json())
        numbers = [m["message"].split()[0] for m in told if m["sender"] == "ada"]
        assert numbers == [*(f"{n}" for n in range(405)), "That"]
        assert [told.count(each) for each in left] == [1, 1]


@pytest.mark.live
def test_bytes(client: LiveClient) -> None:
    word = "🙂" * 16_000  # 64,000 bytes
    with (
        client.raw("/chatroom/slow", window=4096) as slow,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        for turn in range(2):  # what has been sent does not count any more
            numbers = range(turn * 60, turn * 60 + 60)
            talks(ada, numbers, word)
            assert list(heard(slow, 60)) == [f"{n}" for n in numbers]
        talks(ada, range(120, 215), word)
        came = [text.split()[0] for text in heard_until_closed(slow)]
        assert came == [f"{n}" for n in range(120, 120 + len(came))]
        assert len(came) < 95


@pytest.mark.live
@pytest.mark.settings(STALL_TIMEOUT=0.4, CLOSE_TIMEOUT=0.8)
def test_stalled(client: LiveClient) -> None:
    with (
        client.websocket_connect("/chatroom/bob") as bob,
        client.raw("/chatroom/deaf", window=4096),
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        talks(ada, range(60))
        assert list(heard(bob, 60)) == [f"{n}" for n in range(60)]
        assert bob.receive_json() == system("deaf left the chat")
        # Who was only silent meanwhile is still there.
        talks(ada, range(60, 65))
        assert list(heard(bob, 5)) == [f"{n}" for n in range(60, 65)]
