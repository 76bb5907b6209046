"""Catch the bug of `demo_lets_through.py`: the one example of a rule is not the rule.

The rule says that a text *contains* something. So something stands before it, behind
it, and on both sides.

Another way: `pytest.mark.parametrize` with the texts, which tells each by its name.
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


def test_it_may_stand_anywhere() -> None:
    for text in ("a bad message", "bad messages", "One bad message!"):
        assert end_after(text) == REFUSED
