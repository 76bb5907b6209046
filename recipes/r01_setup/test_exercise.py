"""Exercise: catch the bug of `demo_going_away.py` with a test that passes on `main`.

Run it:    pytest recipes/r01_setup/test_exercise.py     (on main)
Check it:  python -m recipes check r01     (on main, and on the broken app in its place)
"""

from fastapi.testclient import TestClient

from recipes.r01_setup.main import app


def test_welcomes() -> None:
    with TestClient(app).websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"


# TODO: a test that fails on demo_going_away, which ends so that clients come back.
