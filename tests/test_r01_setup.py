"""Recipe 1: a socket that welcomes and closes; its exercise greets by name."""

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


# The exercise


@pytest.mark.task(
    "A client at /ws/{name} is greeted with `Welcome, {name}!`",
    hints=[
        "The name is the parameter of the function that is named after the part of "
        "the path in braces.",
        "Put it into the text with an f-string, and give that to send_text().",
        'await websocket.send_text(f"Welcome, {name}!")',
    ],
)
def test_greets_by_name(client: Client) -> None:
    with client.websocket_connect("/ws/Ada") as websocket:
        assert websocket.receive_text() == "Welcome, Ada!"
    with client.websocket_connect("/ws/Grace Hopper") as websocket:
        assert websocket.receive_text() == "Welcome, Grace Hopper!"
    with client.websocket_connect("/ws/名前") as websocket:
        assert websocket.receive_text() == "Welcome, 名前!"


@pytest.mark.task(
    "After the greeting the server closes with 1000 and the reason `Bye!`",
    hints=[
        "A function that just ends sends no close frame, and its client sees 1006.",
        "close() takes a code and a reason.",
        'await websocket.close(code=1000, reason="Bye!")',
    ],
)
def test_says_bye(client: Client) -> None:
    with client.websocket_connect("/ws/Ada") as websocket:
        websocket.receive_text()
        assert websocket.receive() == {
            "type": "websocket.close",
            "code": 1000,
            "reason": "Bye!",
        }
