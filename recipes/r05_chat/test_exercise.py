"""Exercise: catch the bug of `demo_still_here.py` with a test that passes on `main`.

Run it:    pytest recipes/r05_chat/test_exercise.py     (on main)
Check it:  python -m recipes check r05     (on main, and on the broken app in its place)
"""

from fastapi.testclient import TestClient

from recipes.r05_chat.main import app


def test_a_leave_is_told() -> None:
    with TestClient(app) as client, client.websocket_connect("/chatroom/ada") as ada:
        with client.websocket_connect("/chatroom/bob"):
            assert ada.receive_json()["message"] == "bob joined the chat"
        assert ada.receive_json()["message"] == "bob left the chat"


# TODO: a test that fails on demo_still_here, where not every leave is told. It must not
# wait for what never comes: let ada say something, and look at what comes first.
