"""Catch the bug of `demo_still_here.py`: a connection ends in more ways than one.

Who closes is announced there, who breaks a rule is not. On the broken app nothing would
ever come, and TestClient waits for ever. So ada says something: what comes first is
the leave, or her own text.

Another way: a text that is too long, which ends with 1009.
"""

from fastapi.testclient import TestClient

from recipes.r05_chat.main import app


def test_a_leave_is_told() -> None:
    with TestClient(app) as client, client.websocket_connect("/chatroom/ada") as ada:
        with client.websocket_connect("/chatroom/bob"):
            assert ada.receive_json()["message"] == "bob joined the chat"
        assert ada.receive_json()["message"] == "bob left the chat"


def test_a_leave_by_a_broken_rule_is_told() -> None:
    with TestClient(app) as client, client.websocket_connect("/chatroom/ada") as ada:
        with client.websocket_connect("/chatroom/bob") as bob:
            assert ada.receive_json()["message"] == "bob joined the chat"
            bob.send_bytes(b"no text")
            assert bob.receive()["code"] == 1003
        ada.send_text("Who is here?")
        assert ada.receive_json()["message"] == "bob left the chat"
