"""Exercise: catch the bug of `demo_last_word.py` with a test that passes on `main`.

Run it:    pytest recipes/r03_disconnects/test_exercise.py     (on main)
Check it:  python -m recipes check r03     (on main, and on the broken app in its place)
"""

from fastapi.testclient import TestClient

from recipes.r03_disconnects.main import app


def test_answers() -> None:
    with TestClient(app).websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        websocket.send_text("Hello!")
        assert websocket.receive_text() == "Message received!"


# TODO: a test that fails on demo_last_word, which says one thing too many.
