"""The manager of recipes 5 and 7 alone, with sockets that do what a test says."""

import asyncio
import importlib
import json
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect


class Peer:
    """A client's socket: what it was sent, and whether a send to it waits or fails."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.has_got = asyncio.Event()
        self.error: Exception | None = None

    async def accept(self) -> None:
        pass

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        if self.error is not None:
            raise self.error
        self.sent.append(json.loads(text))
        self.has_got.set()


@pytest.fixture(params=["r05_chat", "r07_oauth2"])
def ws_manager(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    module = importlib.import_module(f"recipes.{request.param}.ws_manager")
    monkeypatch.setattr(module, "SEND_TIMEOUT", 0.4)
    return module


async def room_of(manager: Any, *names: str) -> list[Any]:
    peers = [Peer() for _ in names]
    for peer, name in zip(peers, names, strict=True):
        await manager.connect(peer, name)
    return peers


HELLO = {"sender": "ada", "message": "Hello!"}


def test_what_has_begun_reaches_everyone(ws_manager: ModuleType) -> None:
    """Also if the sender's handler ends while somebody has not taken it yet."""

    async def scene() -> None:
        manager = ws_manager.ConnectionManager()
        ada, bob, cy = await room_of(manager, "ada", "bob", "cy")
        cy.reads.clear()
        sending = asyncio.create_task(manager.broadcast(HELLO, ada))
        await bob.has_got.wait()
        sending.cancel()
        await asyncio.sleep(0)
        cy.reads.set()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (ada.sent, bob.sent, cy.sent) == ([], [HELLO], [HELLO])
        assert list(manager.active_connections) == [ada, bob, cy]

    asyncio.run(scene())


@pytest.mark.parametrize(
    "value", [datetime(2026, 1, 1), float("nan"), "\ud800", {1, 2}], ids=repr
)
def test_what_cannot_be_sent_is_its_senders_fault(
    ws_manager: ModuleType, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        manager = ws_manager.ConnectionManager()
        ada, bob = await room_of(manager, "ada", "bob")
        with pytest.raises((TypeError, ValueError)):
            await manager.broadcast({"sender": "ada", "message": value})
        with pytest.raises((TypeError, ValueError)):
            await manager.send_personal_message({"message": value}, ada)
        await manager.broadcast(HELLO)
        assert (ada.sent, bob.sent) == ([HELLO], [HELLO])

    asyncio.run(scene())
    assert caplog.messages == []


def test_who_is_let_go_is_logged_and_why(
    ws_manager: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        manager = ws_manager.ConnectionManager()
        ada, *others = await room_of(manager, "ada", "bob", "cy", "dan", "eve")
        others[0].error = WebSocketDisconnect(1006)
        others[1].error = RuntimeError("after sending 'websocket.close'")
        others[2].error = OSError("the cable is on fire")
        others[3].reads.clear()
        # Several wait for the same one: it is let go once.
        await asyncio.gather(*(manager.broadcast(HELLO, ada) for _ in range(3)))
        assert list(manager.active_connections) == [ada]

    asyncio.run(scene())
    # Of who has just gone, the leave is logged, by the handler.
    assert [record.getMessage() for record in caplog.records] == [
        "dan is let go: OSError('the cable is on fire')",
        "eve is let go: it kept us waiting for 0.4 s",
    ]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_waits_for_a_client_add_up(ws_manager: ModuleType) -> None:
    """Not for each message anew: who is slow costs the room SEND_TIMEOUT in all."""

    async def scene() -> None:
        manager = ws_manager.ConnectionManager()
        ada, cy = await room_of(manager, "ada", "cy")
        rounds = 0
        while cy in manager.active_connections:
            assert rounds < 10, "who is slow again and again stays"
            rounds += 1
            cy.reads.clear()
            # It reads when it has kept two waiting for 0.15 s of its 0.4.
            asyncio.get_running_loop().call_later(0.15, cy.reads.set)
            await asyncio.gather(manager.broadcast(HELLO), manager.broadcast(HELLO))
        # Three, where nothing else keeps this process waiting.
        assert 1 < rounds < 4
        assert ada in manager.active_connections
        assert len(ada.sent) == 2 * rounds

    asyncio.run(scene())


def test_moments_do_not_add_up(ws_manager: ModuleType) -> None:
    async def scene() -> None:
        manager = ws_manager.ConnectionManager()
        (cy,) = await room_of(manager, "cy")
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 0.8:  # twice what it has
            cy.reads.clear()
            loop.call_later(0.01, cy.reads.set)
            await manager.broadcast(HELLO)
        assert cy in manager.active_connections

    asyncio.run(scene())


def test_a_handler_is_ended_with_its_client(ws_manager: ModuleType) -> None:
    async def scene() -> None:
        manager = ws_manager.ConnectionManager()
        peer = Peer()
        let_go = await manager.connect(peer)
        peer.error = WebSocketDisconnect(1006)

        async def handler() -> None:
            async with let_go:
                await manager.broadcast(HELLO)
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            await handler()
        manager.disconnect(peer)
        manager.disconnect(peer)

    asyncio.run(scene())
