"""Catch the bug of `demo_last_word.py`: what comes next proves that nothing else came.

To wait for nothing takes time, and proves little. The next thing that comes must be the
close: then nothing came before it.

Another way: `pytest.raises(WebSocketDisconnect)` around `receive_text()`, which raises
at the close, and gives a text that comes before it.
"""

from fastapi.testclient import TestClient

from recipes.r03_disconnects.main import app


def test_answers() -> None:
    with TestClient(app).websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        websocket.send_text("Hello!")
        assert websocket.receive_text() == "Message received!"


def test_nothing_comes_after_disconnect() -> None:
    with TestClient(app).websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("disconnect")
        closed = {"type": "websocket.close", "code": 1000, "reason": ""}
        assert websocket.receive() == closed
