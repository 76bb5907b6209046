"""How to test sockets in a project of your own, over a real server.

TestClient is quick, but it has no network: no refused handshake with a status, no 1006,
no pings. Run it:  pytest recipes/r02_send_receive/example_test.py
"""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from .main import app


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The app behind a uvicorn in a thread, at a port that the system picks."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_answers_each_text(address: str) -> None:
    with connect(f"ws://{address}/ws", proxy=None) as websocket:
        assert websocket.recv(timeout=5) == "Welcome to the chat room!"
        websocket.send("Hello!")
        assert websocket.recv(timeout=5) == "Message received!"


def test_wrong_path_is_refused(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{address}/nowhere", proxy=None)
    assert refused.value.response.status_code == 403


def test_binary_crashes_the_handler(address: str) -> None:
    with connect(f"ws://{address}/ws", proxy=None) as websocket:
        websocket.recv(timeout=5)
        websocket.send(b"\x00")
        with pytest.raises(ConnectionClosedError):
            websocket.recv(timeout=5)
    assert websocket.close_code == 1006


# An `async def` test needs a plugin that runs it. AnyIO, which Starlette builds on,
# brings one: the mark, and a fixture that says on which event loop.
@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_two_at_once(address: str) -> None:
    async with (
        asyncio.timeout(5),
        connect_async(f"ws://{address}/ws", proxy=None) as first,
        connect_async(f"ws://{address}/ws", proxy=None) as second,
    ):
        for welcome in await asyncio.gather(first.recv(), second.recv()):
            assert welcome == "Welcome to the chat room!"
