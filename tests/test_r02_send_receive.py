"""Recipe 2: texts, JSON and bytes; its exercise counts messages of both kinds.

Nothing here handles the client's leaving yet: that traceback is the recipe's lesson.
"""

from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from recipes.workbench.judging import Client, LiveClient

pytestmark = pytest.mark.crash_ok("WebSocketDisconnect")


def test_answers_each_text(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        for text in ("Hello!", "", "ünïcödé 名前", "{not json"):
            websocket.send_text(text)
            assert websocket.receive_text() == "Message received!"
    assert client.log == [
        ("INFO", "Message received: Hello!"),
        ("INFO", "Message received: "),
        ("INFO", "Message received: ünïcödé 名前"),
        ("INFO", "Message received: {not json"),
    ]


def test_clients_do_not_hear_each_other(client: Client) -> None:
    with (
        client.websocket_connect("/ws") as first,
        client.websocket_connect("/ws") as second,
    ):
        first.receive_text()
        second.receive_text()
        first.send_text("from the first")
        assert first.receive_text() == "Message received!"
        second.send_text("from the second")
        assert second.receive_text() == "Message received!"


@pytest.mark.parametrize("value", [{"room": 7}, [1, 2.5], "text", None, True, {}])
def test_answers_json_with_json(client: Client, value: Any) -> None:
    with client.websocket_connect("/ws/json") as websocket:
        websocket.send_json(value)
        assert websocket.receive_json() == {"received": value}


@pytest.mark.parametrize("data", [b"\x00\xff", b"", bytes(100_000)])
def test_answers_bytes_with_the_same_bytes(client: Client, data: bytes) -> None:
    with client.websocket_connect("/ws/binary") as websocket:
        websocket.send_bytes(data)
        assert websocket.receive_bytes() == data


def test_leaving_is_not_handled(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.close(1001)
    assert [crash.kind for crash in client.crashes] == ["WebSocketDisconnect"]


def test_binary_where_text_is_expected_crashes(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_bytes(b"\x00")
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1006,
            "reason": "",
        }
    assert client.crashes.pop().kind == "KeyError"


@pytest.mark.parametrize(
    ("text", "crash"),
    [
        ("{not json", "JSONDecodeError"),
        ("[" * 60_000, "RecursionError"),
        ("1" * 5_000, "ValueError"),
    ],
)
def test_json_that_crashes(client: Client, text: str, crash: str) -> None:
    with client.websocket_connect("/ws/json") as websocket:
        websocket.send_text(text)
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1006,
            "reason": "",
        }
    assert client.crashes.pop().kind == crash


@pytest.mark.live  # TestClient does not encode what is sent
def test_half_a_surrogate_pair_crashes(client: LiveClient) -> None:
    with client.websocket_connect("/ws/json") as websocket:
        websocket.send_text('"\\ud800"')
        assert websocket.receive()["code"] == 1006
    assert client.crashes.pop().kind == "UnicodeEncodeError"


def test_nan_is_answered_with_what_is_no_json(client: Client) -> None:
    with client.websocket_connect("/ws/json") as websocket:
        websocket.send_text("NaN")
        assert websocket.receive_text() == '{"received":NaN}'


def test_newline_in_a_text_makes_a_second_line(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("hi\nINFO: all is well")
        websocket.receive_text()
    assert client.log == [("INFO", "Message received: hi\nINFO: all is well")]


# As a project of one's own has it: TestClient alone, and nothing that knows that this
# recipe's app is meant to fail when a client leaves.


def test_that_proves_nothing() -> None:
    from recipes.r02_send_receive import main

    with (
        TestClient(main.app) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/ws") as websocket,
    ):
        assert websocket.receive_text() == "Goodbye!"  # it is not, and nobody is told


def test_the_end_of_the_with_raises_what_the_handler_raised() -> None:
    from recipes.r02_send_receive import main

    with (
        pytest.raises(WebSocketDisconnect),
        TestClient(main.app) as client,
        client.websocket_connect("/ws") as websocket,
    ):
        assert websocket.receive_text() == "Welcome to the chat room!"


@pytest.mark.module("dates")
def test_dates_in_json(client: Client) -> None:
    with client.websocket_connect("/send-json") as websocket:
        assert websocket.receive()["code"] == 1006
    assert client.crashes.pop().kind == "TypeError"
    with client.websocket_connect("/model") as websocket:
        assert websocket.receive_json() == {"name": "Ada", "at": "2026-05-01T12:30:00Z"}


@pytest.mark.live
def test_cut_connection_ends_the_handler(client: LiveClient) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.cut()
    assert [crash.kind for crash in client.crashes] == ["WebSocketDisconnect"]


# The exercise


def number(answer: str) -> int:
    """The number that an answer begins with."""
    count, _, _ = answer.partition(":")
    assert count.isdecimal(), f"{answer!r} does not begin with a number and a colon"
    return int(count)


def test_counts_texts(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_text("hi")
        assert websocket.receive_text() == "1: hi"
        websocket.send_text("there: you")
        assert websocket.receive_text() == "2: there: you"


def test_echoes_bytes(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        for data in (b"\x00\xff", b"plain", bytes(70_000)):
            websocket.send_bytes(data)
            assert websocket.receive_bytes() == data


def test_one_count_for_both(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_text("one")
        first = number(websocket.receive_text())
        websocket.send_bytes(b"two")
        websocket.receive_bytes()
        websocket.send_text("three")
        third = number(websocket.receive_text())
        assert third - first == 2


def test_counts_each_connection(client: Client) -> None:
    with (
        client.websocket_connect("/ws") as first,
        client.websocket_connect("/ws") as second,
    ):
        answers = []
        for websocket in (first, second, first):
            websocket.send_text("hi")
            answers.append(number(websocket.receive_text()))
        assert answers[1] == answers[0]
        assert answers[2] == answers[0] + 1


def test_counts_empty_messages(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_text("")
        empty = websocket.receive_text()
        assert empty[-2:] == ": "
        websocket.send_bytes(b"")
        assert websocket.receive_bytes() == b""
        websocket.send_text("full")
        assert number(websocket.receive_text()) - number(empty) == 2
