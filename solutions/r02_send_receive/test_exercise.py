"""Catch the bug of `demo_lost_zero.py`: a value that is false is a value.

A test with one value that works proves little. Values at the edges, 0 and the empty
ones, are what code forgets.

Another way: `pytest.mark.parametrize` with the values, which tells each by its name.
"""

from contextlib import suppress
from typing import Any

from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from recipes.r02_send_receive.main import app


def answer_to(value: Any) -> Any:
    """What /ws/json answers to a value.

    This app's handler raises when its client leaves. So the answer is taken inside of
    the `with`, and looked at outside, where no other error can take its place.
    """
    with (
        TestClient(app) as client,
        suppress(WebSocketDisconnect),
        client.websocket_connect("/ws/json") as websocket,
    ):
        websocket.send_json(value)
        answer = websocket.receive_json()
    return answer


def test_answers_json() -> None:
    assert answer_to({"room": 7}) == {"received": {"room": 7}}


def test_answers_values_that_are_false() -> None:
    edges: list[Any] = [0, "", False, [], {}]
    for value in edges:
        assert answer_to(value) == {"received": value}
