"""How answers and recipes are tested: a plugin of pytest, and what suites import.

Two transports stand behind the calls of Starlette's TestClient.

`InProcessClient` is TestClient itself, with bounded receives. `LiveClient` talks to a
uvicorn in a child process with the `websockets` client. On both, a session's
`receive()` gives the ASGI messages that TestClient gives, and an app that crashes or
returns without closing reads as a close with 1006, which is what a client makes of a
connection that ends without a close frame (RFC 6455 §7.1.5).
"""

from recipes.workbench.judging.in_process import InProcessClient
from recipes.workbench.judging.live import LiveClient
from recipes.workbench.judging.live_session import LiveSession
from recipes.workbench.judging.raw import RawSession, at_once, masked
from recipes.workbench.judging.scenes import (
    a_room_of_twenty_loses_six,
    closed,
    said,
    system,
)
from recipes.workbench.judging.session import (
    PATIENCE,
    Client,
    NoAnswer,
    NothingCame,
    Session,
)

__all__ = [
    "PATIENCE",
    "Client",
    "InProcessClient",
    "LiveClient",
    "LiveSession",
    "NoAnswer",
    "NothingCame",
    "RawSession",
    "Session",
    "a_room_of_twenty_loses_six",
    "at_once",
    "closed",
    "masked",
    "said",
    "system",
]
