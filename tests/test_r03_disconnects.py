"""Recipe 3: every end of a connection; its exercise counts and times out."""

import time

import pytest
from websockets.frames import Opcode

from recipes.workbench.judging import Client, LiveClient, masked

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


# Pushing while receiving


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
        first.receive_text()
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
    assert client.log[-1] == ("WARNING", "Disconnecting...")


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
    assert client.crashes.pop().kind == "RuntimeError"
    assert connected(client) == before


@pytest.mark.settings(IDLE_TIMEOUT=0.4)
def test_idle_client_is_closed(client: Client) -> None:
    before = connected(client)
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        silent_since = time.monotonic()
        busy_until = silent_since + 1.5 * 0.4
        while silent_since < busy_until:
            silent_since = time.monotonic()
            websocket.send_text("still here")
            assert websocket.receive_text() == "Message received!"
        assert connected(client) == before + 1
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1001,
            "reason": "Idle timeout",
        }
        assert time.monotonic() - silent_since > 0.3
    assert connected(client) == before
