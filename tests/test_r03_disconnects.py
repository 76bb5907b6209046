"""Recipe 3: every end of a connection; its exercise counts and times out."""

import asyncio
import logging
import time

import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope
from websockets.frames import Opcode

from recipes.workbench.judging import Client, LiveClient, Session, masked

BY_CLIENT = ("WARNING", "Connection closed by the client")
BY_SERVER = ("WARNING", "Connection closed by the server")


def test_answers_until_the_client_closes(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        websocket.send_text("Hello!")
        assert websocket.receive_text() == "Message received!"
    assert client.log == [("INFO", "Message received: Hello!"), BY_CLIENT]


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_any_code_of_the_client(client: Client, code: int) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.close(code)
    assert client.log == [BY_CLIENT]


def test_disconnect_closes_and_nothing_follows(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("disconnect")
        websocket.send_text("a second message")
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1000,
            "reason": "",
        }
    assert client.log == [
        ("INFO", "Message received: disconnect"),
        ("WARNING", "Disconnecting..."),
    ]


@pytest.mark.live
def test_close_without_a_code(client: LiveClient) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.write(masked(Opcode.CLOSE, b""))
    assert client.log == [BY_CLIENT]


@pytest.mark.live
def test_reset_in_the_middle_of_a_frame(client: LiveClient) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"half a message")[:8])
        peer.cut()
    assert client.log == [BY_CLIENT]


@pytest.mark.live
def test_reset_right_after_disconnect(client: LiveClient) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.send_text("disconnect")
        peer.cut()
    # The text may be lost with the line; if it came, nothing is logged after it.
    if ("WARNING", "Disconnecting...") in client.log:
        assert client.log[-1] == ("WARNING", "Disconnecting...")


@pytest.mark.live
def test_a_client_that_sends_and_never_reads(client: LiveClient) -> None:
    with client.raw("/ws", window=4096) as peer:
        peer.receive_text()
        peer.stall(masked(Opcode.TEXT, b"Hello!"))
        peer.cut()
    # How much is logged depends on the system's buffers, and may be cut off here.
    assert client.log[0] == ("INFO", "Message received: Hello!")
    assert BY_SERVER not in client.log


@pytest.mark.live
def test_too_long_a_text(client: LiveClient) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("x" * 17 * 2**20)
        assert websocket.receive()["code"] == 1009
    assert client.log == [BY_SERVER]


@pytest.mark.live
def test_invalid_utf8(client: LiveClient) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"\xff\xfe"))
        assert peer.receive()["code"] == 1007
    assert client.log == [BY_CLIENT]


@pytest.mark.live
def test_shutdown(client: LiveClient) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        assert client.shut_down()
        assert websocket.receive()["code"] == 1012
    assert client.log == [BY_SERVER]


class Line:
    """A connection as ASGI has it: what comes in, and a send that fails at some point.

    The server's own clock decides when a send meets the end of a connection. Here a
    test does.
    """

    def __init__(self, path: str, *events: Message, error: Exception) -> None:
        self.scope: Scope = {"type": "websocket", "path": path, "headers": []}
        self.scope |= {"query_string": b"", "subprotocols": []}
        self.events = [{"type": "websocket.connect"}, *events]
        self.error = error

    async def receive(self) -> Message:
        return self.events.pop(0) if self.events else await asyncio.Future()

    async def send(self, message: Message) -> None:
        # The end has come, and the handler has not received it yet.
        if message["type"] == "websocket.send" and message["text"] != WELCOME:
            raise self.error

    def run(self, app: FastAPI) -> None:
        asyncio.run(asyncio.wait_for(app(self.scope, self.receive, self.send), 5))


WELCOME = "Welcome to the chat room!"
GONE, CLOSED = OSError(), RuntimeError("after sending 'websocket.close'")


@pytest.mark.parametrize("error", [GONE, CLOSED])
@pytest.mark.parametrize(
    ("code", "by"), [(1009, BY_SERVER), (1012, BY_SERVER), (4001, BY_CLIENT)]
)
def test_the_reason_is_known_although_the_send_failed(
    error: Exception, code: int, by: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    from recipes.r03_disconnects import main

    caplog.set_level("INFO", logger="uvicorn")
    Line(
        "/ws",
        {"type": "websocket.receive", "text": "Hello!"},
        {"type": "websocket.receive", "text": "came before the end"},
        {"type": "websocket.disconnect", "code": code},
        error=error,
    ).run(main.app)
    assert [record[1:] for record in caplog.record_tuples] == [
        (logging.INFO, "Message received: Hello!"),
        (logging.INFO, "Message received: came before the end"),
        (logging.WARNING, by[1]),
    ]


# Pushing while receiving


@pytest.mark.parametrize("error", [GONE, CLOSED])
def test_a_push_that_meets_the_end_ends_the_handler(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recipes.r03_disconnects import ticks

    monkeypatch.setattr(ticks, "TICK_SECONDS", 0)
    Line("/ws/ticks", error=error).run(ticks.app)


def test_a_defect_of_the_pusher_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r03_disconnects import ticks

    async def push(websocket: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(ticks, "push_ticks", push)
    with pytest.raises(ExceptionGroup) as raised:
        Line("/ws/ticks", error=GONE).run(ticks.app)
    assert raised.group_contains(RuntimeError, match="changed size")


@pytest.mark.module("ticks")
@pytest.mark.settings(TICK_SECONDS=0.05)
def test_ticks_while_it_answers(client: Client) -> None:
    with client.websocket_connect("/ws/ticks") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        websocket.send_text("disconnect")
        came = [websocket.receive_text() for _ in range(4)]
    assert came.count("Message received!") == 1
    assert [text for text in came if text.startswith("tick")] == [
        "tick 1",
        "tick 2",
        "tick 3",
    ]
    assert client.log == []


@pytest.mark.live
@pytest.mark.module("ticks")
@pytest.mark.settings(TICK_SECONDS=0.05)
def test_ticks_end_with_a_cut_line(client: LiveClient) -> None:
    with client.raw("/ws/ticks") as peer:
        peer.receive_text()
        assert peer.receive_text() == "tick 1"
        peer.cut()


@pytest.mark.live
@pytest.mark.module("ticks")
@pytest.mark.settings(TICK_SECONDS=0.05)
def test_ticks_end_with_a_client_that_never_reads(client: LiveClient) -> None:
    with client.raw("/ws/ticks", window=4096) as peer:
        peer.receive_text()
        peer.stall(masked(Opcode.TEXT, b"Hello!"))
        peer.cut()


@pytest.mark.live
@pytest.mark.module("ticks")
@pytest.mark.settings(TICK_SECONDS=0.05)
def test_ticks_end_at_shutdown(client: LiveClient) -> None:
    with client.websocket_connect("/ws/ticks") as websocket:
        websocket.receive_text()
        assert client.shut_down()


# Beside the way


@pytest.mark.live
@pytest.mark.module("demo_blocking")
@pytest.mark.parametrize(
    ("path", "waits"), [("/blocking", True), ("/in-a-thread", False)]
)
def test_blocking_holds_up_the_neighbours(
    client: LiveClient, path: str, waits: bool
) -> None:
    with (
        client.websocket_connect(path) as busy,
        client.websocket_connect("/echo") as neighbour,
    ):
        busy.send_text("please work")
        assert busy.receive_text() == "working"
        asked = time.monotonic()
        neighbour.send_text("Hello!")
        assert neighbour.receive_text() == "Hello!"
        assert (time.monotonic() - asked > 0.8) == waits
        assert busy.receive_text() == "done"


@pytest.mark.module("notify")
@pytest.mark.parametrize("path", ["/tell", "/tell-from-a-thread"])
def test_a_route_tells_open_sockets(client: Client, path: str) -> None:
    def tell() -> int:
        answer = client.post(path, json={"text": "Tea!"})
        return int(answer.json()["told"])

    assert tell() == 0
    with client.websocket_connect("/ws") as first:
        with client.websocket_connect("/ws") as second:
            assert tell() == 2
            assert second.receive_text() == "Tea!"
        first.send_bytes(b"whatever comes is passed over")
        assert tell() == 1
        assert [first.receive_text(), first.receive_text()] == ["Tea!", "Tea!"]
    assert tell() == 0


@pytest.mark.live
@pytest.mark.module("notify")
def test_one_that_does_not_read_costs_the_others_nothing(client: LiveClient) -> None:
    with (
        client.raw("/ws", window=4096),
        client.websocket_connect("/ws") as other,
    ):
        told = 2
        while told == 2:
            answer = client.post("/tell", json={"text": 100_000 * "x"})
            told = answer.json()["told"]
            assert other.receive_text() == 100_000 * "x"
        assert told == 1


@pytest.mark.module("work")
def test_work_is_stopped(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_text("Tell me a story")
        assert [websocket.receive_text() for _ in range(2)] == ["Once", "a"]
        websocket.send_text("stop")
        assert websocket.receive_text() == "(stopped)"
        websocket.send_text("stop")  # there is nothing to stop
        websocket.send_text("Another one")
        assert websocket.receive_text() == "Once"
        websocket.send_text("No, that one")
        came = [websocket.receive_text()]
        while came[-1] != "(done)":
            came.append(websocket.receive_text())
        assert came[:2] == ["(stopped)", "Once"]
        assert len(came) == 12
        websocket.send_text("stop")  # it is done
        websocket.send_text("And again")
        assert websocket.receive_text() == "Once"


@pytest.mark.live
@pytest.mark.module("feed")
def test_a_feed_reaches_all_and_waits_for_none(client: LiveClient) -> None:
    with (
        client.raw("/ws", window=4096),  # never reads
        client.websocket_connect("/ws") as first,
        client.websocket_connect("/ws") as second,
    ):
        for listener in (first, second):
            came = [listener.receive_text().split() for _ in range(4)]
            assert {word for word, _ in came} == {"news"}
            numbers = [int(number) for _, number in came]
            assert numbers == sorted(set(numbers))


def test_a_feed_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from recipes.r03_disconnects import feed

    tries: list[int] = []

    async def watch() -> None:
        tries.append(len(tries))
        if tries == [0]:
            raise ConnectionError("the database is away")
        for n in range(3):
            feed.publish(f"news {n}")
        await asyncio.Event().wait()

    monkeypatch.setattr(feed, "watch", watch)
    monkeypatch.setattr(feed, "RETRY", 0)

    async def listen() -> str:
        queue: asyncio.Queue[str] = asyncio.Queue(1)
        monkeypatch.setattr(feed, "waiting", {queue})
        async with feed.lifespan(feed.app), asyncio.timeout(5):
            return await queue.get()

    assert asyncio.run(listen()) in {"news 0", "news 2"}
    assert "The feed broke off" in caplog.text
    assert tries == [0, 1]


# The exercise


def connected(client: Client) -> int:
    """What the app says of its open sockets."""
    answer = client.get("/connections").json()
    assert isinstance(answer, dict)
    assert isinstance(answer.get("connected"), int), answer
    return int(answer["connected"])


def test_count_after_client_close(client: Client) -> None:
    before = connected(client)
    with client.websocket_connect("/ws") as first:
        assert first.receive_text() == "Welcome to the chat room!"
        with client.websocket_connect("/ws") as second:
            second.receive_text()
            assert connected(client) == before + 2
            second.close(1001)
        assert connected(client) == before + 1
        first.send_text("still there?")
        assert first.receive_text() == "Message received!"
    assert connected(client) == before


def test_count_after_server_close(client: Client) -> None:
    before = connected(client)
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        assert connected(client) == before + 1
        websocket.send_text("disconnect")
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1000,
            "reason": "",
        }
    assert connected(client) == before
    assert ("WARNING", "Disconnecting...") in client.log


@pytest.mark.live
def test_count_after_cut(client: LiveClient) -> None:
    before = connected(client)
    with client.raw("/ws") as peer:
        peer.receive_text()
        assert connected(client) == before + 1
        peer.cut()
    assert connected(client) == before


def test_count_after_error(client: Client) -> None:
    before = connected(client)
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        assert connected(client) == before + 1
        websocket.send_text("boom")
        assert websocket.receive()["code"] == 1006
    assert connected(client) == before
    # What a handler raises must reach the server, which logs it.
    assert [crash.kind for crash in client.crashes] == ["RuntimeError"]
    client.crashes.clear()


IDLE_TIMEOUT = 0.4


IDLE = {"type": "websocket.close", "code": 1001, "reason": "Idle timeout"}


def seconds_until_idle(websocket: Session, silent_since: float) -> float:
    """For how long a client could be silent."""
    assert websocket.receive() == IDLE
    return time.monotonic() - silent_since


def only_the_silent_is_closed(client: Client) -> bool:
    """False if nothing can be told, since the other one was silent as well.

    A busy machine may not let it speak in time.
    """
    before = connected(client)
    with (
        client.websocket_connect("/ws") as busy,
        client.websocket_connect("/ws") as silent,
    ):
        busy.receive_text()
        silent.receive_text()
        end = time.monotonic() + 1.5 * IDLE_TIMEOUT
        spoke = time.monotonic()
        while spoke < end:
            silent_since, spoke = spoke, time.monotonic()
            busy.send_text("still here")
            answer = busy.receive()
            if time.monotonic() - silent_since > 0.75 * IDLE_TIMEOUT:
                return False
            assert answer == {"type": "websocket.send", "text": "Message received!"}
        assert silent.receive() == IDLE
        there = connected(client)
        if time.monotonic() - spoke > 0.75 * IDLE_TIMEOUT:
            return False
        assert there == before + 1
        assert seconds_until_idle(busy, spoke) > 0.75 * IDLE_TIMEOUT
    assert connected(client) == before
    return True


@pytest.mark.settings(IDLE_TIMEOUT=IDLE_TIMEOUT)
def test_idle_client_is_closed(client: Client) -> None:
    told = any(only_the_silent_is_closed(client) for _ in range(5))
    assert told, "Closed only with the other, or this machine is too busy to tell"

    def in_time() -> bool:
        with client.websocket_connect("/ws") as silent:
            silent.receive_text()
            return seconds_until_idle(silent, time.monotonic()) < 1.75 * IDLE_TIMEOUT

    # On a machine that is busy, too, one of three is closed in time.
    assert any(in_time() for _ in range(3)), "Closed long after IDLE_TIMEOUT"
