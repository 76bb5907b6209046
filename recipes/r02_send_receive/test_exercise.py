"""Exercise: catch the bug of `demo_lost_zero.py` with a test that passes on `main`.

Run it:    pytest recipes/r02_send_receive/test_exercise.py     (on main)
Check it:  python -m recipes check r02     (on main, and on the broken app in its place)
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


# TODO: a test that fails on demo_lost_zero, whose counters at zero come back as null.
