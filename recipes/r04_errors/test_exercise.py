"""Exercise: catch the bug of `demo_lets_through.py` with a test that passes on `main`.

Run it:    pytest recipes/r04_errors/test_exercise.py     (on main)
Check it:  python -m recipes check r04     (on main, and on the broken app in its place)
"""

from fastapi.testclient import TestClient

from recipes.r04_errors.main import app


def end_after(text: str) -> dict[str, object]:
    """What comes first after a text."""
    with TestClient(app).websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text(text)
        return dict(websocket.receive())


REFUSED = {"type": "websocket.close", "code": 1008, "reason": "Inappropriate message"}


def test_a_bad_message_is_refused() -> None:
    assert end_after("bad message") == REFUSED


# TODO: a test that fails on demo_lets_through, where some bad messages are taken.
