"""Catch the bug of `demo_going_away.py`: how a connection ends is an answer, too.

A test that reads the texts and leaves never sees the close. `receive()` gives whatever
comes, a message or the close, which is compared as a whole.

Another way: `pytest.raises(WebSocketDisconnect)` around `receive_text()`, and then the
`code` of what was raised.
"""

from fastapi.testclient import TestClient

from recipes.r01_setup.main import app


def test_welcomes() -> None:
    with TestClient(app).websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"


def test_closes_normally() -> None:
    with TestClient(app).websocket_connect("/ws") as websocket:
        websocket.receive_text()
        closed = {"type": "websocket.close", "code": 1000, "reason": ""}
        assert websocket.receive() == closed
