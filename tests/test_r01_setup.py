"""Recipe 1: a socket that welcomes and closes; its exercise greets by name."""

import logging

import pytest
from starlette.websockets import WebSocketDisconnect

from recipes.workbench.judging import Client, LiveClient


def test_welcomes_and_closes(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1000,
            "reason": "",
        }


def test_welcomes_each_client(client: Client) -> None:
    with (
        client.websocket_connect("/ws") as first,
        client.websocket_connect("/ws") as second,
    ):
        assert second.receive_text() == "Welcome to the chat room!"
        assert first.receive_text() == "Welcome to the chat room!"


def test_another_path_is_refused(client: Client) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/nowhere"),
    ):
        pass


@pytest.mark.live
def test_another_path_is_refused_with_403(client: LiveClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/nowhere"),
    ):
        pass
    assert refused.value.status_code == 403  # type: ignore[attr-defined]


@pytest.mark.live
def test_plain_http_is_no_websocket(client: LiveClient) -> None:
    assert client.get("/ws").status_code == 404


@pytest.mark.live
def test_subprotocol_that_nobody_chose(client: LiveClient) -> None:
    with client.websocket_connect("/ws", subprotocols=["chat.v1"]) as websocket:
        assert websocket.accepted_subprotocol is None
        assert websocket.receive_text() == "Welcome to the chat room!"


# Beside the way


@pytest.mark.module("events")
def test_server_sent_events(client: Client) -> None:
    answer = client.get("/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.splitlines() == [
        "data: Welcome to the chat room!",
        "id: 1",
        "",
        "data: Nobody can answer here.",
        "id: 2",
        "",
    ]


@pytest.mark.live
@pytest.mark.module("quiet")
def test_accepted_handshakes_are_left_out_of_the_log(client: LiveClient) -> None:
    from recipes.r01_setup import quiet

    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, "", None, None)
    for message, kept in (
        ('127.0.0.1:1 - "WebSocket /ws" [accepted]', False),
        ("connection open", False),
        ("connection rejected (403 Forbidden)", True),
    ):
        record.msg = message
        assert quiet.wanted(record) == kept


@pytest.mark.module("routes")
@pytest.mark.parametrize(
    ("path", "text"), [("/api/ws", "from the router"), ("/class", "from the class")]
)
def test_routes_of_sockets(client: Client, path: str, text: str) -> None:
    with client.websocket_connect(path) as websocket:
        assert websocket.receive_text() == text
        assert websocket.receive()["code"] == 1000


@pytest.mark.live
@pytest.mark.module("routes")
@pytest.mark.parametrize("path", ["/ws", "/late"])
def test_prefix_and_mount_hide_routes(client: LiveClient, path: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(path),
    ):
        pass
    assert refused.value.status_code == 403  # type: ignore[attr-defined]


# The exercise


def test_greets_by_name(client: Client) -> None:
    with client.websocket_connect("/ws/Ada") as websocket:
        assert websocket.receive_text() == "Welcome, Ada!"
    with client.websocket_connect("/ws/Grace Hopper") as websocket:
        assert websocket.receive_text() == "Welcome, Grace Hopper!"
    with client.websocket_connect("/ws/名前") as websocket:
        assert websocket.receive_text() == "Welcome, 名前!"


def test_says_bye(client: Client) -> None:
    with client.websocket_connect("/ws/Ada") as websocket:
        websocket.receive_text()
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1000,
            "reason": "Bye!",
        }
