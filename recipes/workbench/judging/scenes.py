"""What several suites look for, and a scene that every chat must stand."""

from contextlib import ExitStack
from typing import Any

from websockets.frames import Opcode

from recipes.workbench.judging.live import LiveClient
from recipes.workbench.judging.raw import RawSession, masked
from recipes.workbench.judging.session import Session


def closed(code: int, reason: str = "") -> dict[str, Any]:
    """A close as TestClient's `receive()` gives it."""
    return {"type": "websocket.close", "code": code, "reason": reason}


def system(message: str) -> dict[str, Any]:
    """What the chat's room says."""
    return {"sender": "system", "message": message}


def said(sender: str, message: str) -> dict[str, Any]:
    """What somebody in the chat says."""
    return {"sender": sender, "message": message}


def a_room_of_twenty_loses_six(client: LiveClient) -> None:
    """Five are cut by TCP reset and one never reads, while fourteen talk."""
    rounds = [f"{n} " + "x" * 1_000 for n in range(30)]
    lost = [f"doomed{n}" for n in range(5)] + ["deaf"]
    with ExitStack() as stack:

        def enter(name: str) -> Session:
            return stack.enter_context(client.websocket_connect(f"/chatroom/{name}"))

        def enter_raw(name: str) -> RawSession:
            window = 4096 if name == "deaf" else None
            return stack.enter_context(client.raw(f"/chatroom/{name}", window=window))

        others = {f"{n}": enter(f"{n}") for n in range(14)}
        doomed = [enter_raw(name) for name in lost]
        for n, text in enumerate(rounds):
            for other in others.values():
                other.send_text(text)
            if n % 5 == 2 and n < 25:
                # In the midst of what everybody sends, and of a frame of its own.
                doomed[n // 5].write(masked(Opcode.TEXT, b"half a message")[:8])
                doomed[n // 5].cut()
        for name, other in others.items():
            said_by: dict[str, list[str]] = {each: [] for each in others}
            left: list[str] = []
            while sum(map(len, said_by.values())) < 14 * 30 or len(left) < 6:
                message = other.receive_json()
                if message["sender"] == "system":
                    left += [message["message"]] if "left" in message["message"] else []
                else:
                    sender = name if message["sender"] == "You" else message["sender"]
                    said_by[sender].append(message["message"])
            assert said_by == dict.fromkeys(others, rounds)
            assert sorted(left) == sorted(f"{each} left the chat" for each in lost)
