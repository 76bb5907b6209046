"""Recipe 5: a chat that survives its members; its exercise has rooms."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from markupsafe import escape
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.sync.client import ClientConnection, connect

from recipes.workbench import catalog
from recipes.workbench.judging import (
    Client,
    LiveClient,
    LiveSession,
    Session,
    a_room_of_twenty_loses_six,
    at_once,
    closed,
    masked,
    said,
    system,
)

# Names that a page or an address may stumble over, and that are names all the same.
STRANGE = ['a"b', "O'Brien", "a#b", "a\\b", "a?b=1&c", "<b>x", "名前", "x" * 32]
NOBODYS = [
    "",
    " ",
    "a\nb",
    "x" * 33,
    " SYSTEM ",
    "you",
    "\0",
    "\x1b[31mred",
    "a\u200bb",
    "a/b",
    # What nobody sees, and what looks like the reserved names.
    *("\u3164", "\u2800", "\uffa0", "bob\u3164", "system\u034f", "y\ufe0fou"),
    *("ｓｙｓｔｅｍ", "ſystem", "Ⓨⓞⓤ", "sys\u00adtem", "\U000e0100system"),
]
# Texts that end their sender's connection.
TOO_LONG = "é" * 32_769


def chatroom(name: str) -> str:
    """The address of the room's page and socket for a user."""
    return "/chatroom/" + quote(name, safe="")


def refused(client: Client, url: str) -> WebSocketDisconnect:
    """What a handshake that must be refused is answered with."""
    with pytest.raises(WebSocketDisconnect) as refusal, client.websocket_connect(url):
        pass
    return refusal.value


def talk(talker: Session, others: list[Session], name: str, text: str) -> None:
    """Say something, and see it arrive at the talker and at the others."""
    talker.send_text(text)
    assert talker.receive_json() == said("You", text)
    for other in others:
        assert other.receive_json() == said(name, text)


def test_a_conversation(client: Client) -> None:
    with client.websocket_connect("/chatroom/ada") as ada:
        with client.websocket_connect("/chatroom/bob") as bob:
            assert ada.receive_json() == system("bob joined the chat")
            for text in ("Hello!", "", "名前", '{"a": 1}', "<b>", "x" * 65_536):
                talk(bob, [ada], "bob", text)
        assert ada.receive_json() == system("bob left the chat")
    assert client.log[:3] == [
        ("INFO", "ada joined the chat"),
        ("INFO", "bob joined the chat"),
        ("INFO", "bob says: Hello!"),
    ]
    assert client.log[-2:] == [
        ("INFO", "bob left the chat"),
        ("INFO", "ada left the chat"),
    ]


def test_the_log_cannot_be_forged(client: Client) -> None:
    with client.websocket_connect("/chatroom/ada") as ada:
        talk(ada, [], "ada", "hi\nINFO:     bob left\x1b[31m\u2028名\\n")
    line = r"ada says: hi\nINFO:     bob left\x1b[31m\u2028名\n"
    assert client.log[1] == ("INFO", line)


@pytest.mark.parametrize("name", NOBODYS)
def test_names_that_nobody_may_have(client: Client, name: str) -> None:
    refused(client, f"/chatroom/{quote(name, safe='')}")
    assert client.get(f"/chatroom/{quote(name, safe='')}").status_code in {404, 422}
    assert client.log == []


@pytest.mark.live
def test_a_refused_name_is_a_403(client: LiveClient) -> None:
    refusal = refused(client, "/chatroom/system")
    assert refusal.status_code == 403  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(client: Client, name: str) -> None:
    with client.websocket_connect("/chatroom/ada") as ada:
        with client.websocket_connect(f"/chatroom/{quote(name, safe='')}") as other:
            assert ada.receive_json() == system(f"{name} joined the chat")
            talk(other, [ada], name, "hi")
        assert ada.receive_json() == system(f"{name} left the chat")
    page = client.get(f"/chatroom/{quote(name, safe='')}").text
    assert f'id="ws-id">{escape(name)}</strong>' in page


def test_two_may_share_a_name(client: Client) -> None:
    with client.websocket_connect("/chatroom/ada") as one:
        with client.websocket_connect("/chatroom/ada") as other:
            assert one.receive_json() == system("ada joined the chat")
            talk(other, [one], "ada", "hi")
        assert one.receive_json() == system("ada left the chat")
        talk(one, [], "ada", "hi")


def test_a_broken_rule_ends_its_sender_alone(client: Client) -> None:
    with client.websocket_connect("/chatroom/ada") as ada:
        for rule in (closed(1003, "Text only"), closed(1009, "Too long a text")):
            with client.websocket_connect("/chatroom/bob") as bob:
                assert ada.receive_json() == system("bob joined the chat")
                if rule["code"] == 1003:
                    bob.send_bytes(b"bytes")
                else:
                    bob.send_text(TOO_LONG)
                assert bob.receive() == rule
            assert ada.receive_json() == system("bob left the chat")
            talk(ada, [], "ada", "still here")


@pytest.mark.live
def test_more_than_uvicorn_takes(client: LiveClient) -> None:
    with client.websocket_connect("/chatroom/ada") as ada:
        with client.websocket_connect("/chatroom/bob") as bob:
            ada.receive_json()
            bob.send_text("x" * 17 * 2**20)
            assert bob.receive()["code"] == 1009
        assert ada.receive_json() == system("bob left the chat")


def until(session: Session, last: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a session receives before `last`."""
    while (message := session.receive_json()) != last:
        yield message


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
def test_a_room_of_twenty_loses_six(client: LiveClient) -> None:
    a_room_of_twenty_loses_six(client)


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
@pytest.mark.parametrize("stalled", [1, 3])
def test_who_does_not_read_is_let_go(client: LiveClient, stalled: int) -> None:
    with ExitStack() as stack:
        deaf = [
            stack.enter_context(client.raw("/chatroom/deaf", window=4096))
            for _ in range(stalled)
        ]
        bob = stack.enter_context(client.websocket_connect("/chatroom/bob"))
        ada = stack.enter_context(client.websocket_connect("/chatroom/ada"))
        assert bob.receive_json() == system("ada joined the chat")
        heard: list[str] = []
        leaves, sent = 0, 0
        while leaves < stalled:
            assert sent < 300, "nobody was let go"
            text = f"{sent} " + "x" * 8_000
            sent += 1
            ada.send_text(text)
            leaves += len(list(until(ada, said("You", text))))
            while sent > len(heard):
                message = bob.receive_json()
                if message["sender"] == "ada":
                    heard.append(message["message"].split()[0])
        assert heard == [f"{n}" for n in range(sent)]
        # What it had been sent is there, in order and without a gap; then the end.
        came = []
        while (message := deaf[0].receive())["type"] == "websocket.send":
            text = json.loads(message["text"])["message"]
            came += [text.split()[0]] if text.endswith("x") else []
        assert came == [f"{n}" for n in range(len(came))]
        assert message["code"] in {1013, 1006}


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=1.5)
def test_who_is_slow_again_and_again_is_let_go(client: LiveClient) -> None:
    """It always reads in time, and yet costs the room SEND_TIMEOUT in all."""
    with (
        client.raw("/chatroom/cy", window=2**18) as cy,
        client.websocket_connect("/chatroom/ada") as ada,
    ):
        assert isinstance(ada, LiveSession)
        left, held_up, sent = False, 0, 0
        while not left:
            assert held_up < 6, "who is slow six times is still there"
            sent += 1
            ada.send_text(f"{sent} " + "x" * 8_000)
            try:
                echo = json.loads(ada.connection.recv(timeout=0.5))
            except TimeoutError:
                held_up += 1
                while (message := cy.receive())["type"] == "websocket.send":
                    if f'"{sent} x' in message["text"]:
                        break
                echo = ada.receive_json()
            while echo["sender"] == "system":
                left = left or echo == system("cy left the chat")
                echo = ada.receive_json()
        assert held_up >= 2
        # The others have lost nothing, and wait no more.
        assert echo == said("You", f"{sent} " + "x" * 8_000)
        talk(ada, [], "ada", "still here")
    assert ("WARNING", "cy is let go: it kept us waiting for 1.5 s") in client.log


@pytest.mark.live
def test_thousands_at_once(client: LiveClient) -> None:
    """Who sends them keeps the others neither from speaking nor from hearing."""
    texts = 3_000
    with ExitStack() as stack:
        flood = stack.enter_context(client.raw("/chatroom/flood"))
        readers = [
            stack.enter_context(client.websocket_connect(f"/chatroom/{n}"))
            for n in range(5)
        ]
        bob = stack.enter_context(client.websocket_connect("/chatroom/bob"))
        flood.write(masked(Opcode.TEXT, b"x") * texts)
        assert bob.receive_json() == said("flood", "x")
        bob.send_text("May I?")
        before = [said("flood", "x"), *until(bob, said("You", "May I?"))]
        assert len(before) < texts / 2
        rest = [bob.receive_json() for _ in range(texts - len(before))]
        assert before + rest == [said("flood", "x")] * texts
        for n, reader in enumerate(readers):
            for later in [*range(n + 1, 5), "bob"]:
                assert reader.receive_json() == system(f"{later} joined the chat")
            heard = [reader.receive_json() for _ in range(texts + 1)]
            assert heard.count(said("flood", "x")) == texts
            assert heard.count(said("bob", "May I?")) == 1


def test_a_client_that_sends_takes_turns() -> None:
    """Alone in the room, where no broadcast waits for anybody."""
    from recipes.r05_chat import main

    receives = iter([{"type": "websocket.connect"}])

    async def scene() -> tuple[int, int]:
        turns = left = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def receive() -> dict[str, Any]:
            nonlocal left
            if (first := next(receives, None)) is not None:
                return first
            left += 1
            if left > 1_000:
                return {"type": "websocket.disconnect", "code": 1001}
            return {"type": "websocket.receive", "text": "x"}

        async def send(message: Any) -> None:
            pass

        scope = {
            "type": "websocket",
            "path": "/chatroom/ada",
            "headers": [],
            "query_string": b"",
            "subprotocols": [],
        }
        waiting = asyncio.create_task(others())
        await main.app(scope, receive, send)
        waiting.cancel()
        return turns, left

    turns, received = asyncio.run(scene())
    assert turns >= received > 1_000


@pytest.mark.live
def test_shutdown(client: LiveClient) -> None:
    with ExitStack() as stack:
        room = [
            stack.enter_context(client.websocket_connect(f"/chatroom/{n}"))
            for n in range(20)
        ]
        assert client.shut_down()
        for n, member in enumerate(room):
            for later in range(n + 1, 20):
                assert member.receive_json() == system(f"{later} joined the chat")
            assert member.receive()["code"] == 1012
    leaves = [line for _, line in client.log if line.endswith("left the chat")]
    assert len(leaves) == 20


def talk_until_nothing_comes(talker: ClientConnection) -> None:
    try:
        for _ in range(300):
            talker.send("x" * 65_536)
            talker.recv(timeout=1)
    except TimeoutError:
        return
    raise AssertionError("the room went on")


class Uvicorn(NamedTuple):
    process: Popen[str]
    room: str
    lines: list[str]


@contextmanager
def uvicorn(*options: str, **settings: str) -> Iterator[Uvicorn]:
    """The chat, started as in the text: its process, its room's address, its log."""
    command = [sys.executable, "-m", "uvicorn", "recipes.r05_chat.main:app"]
    with Popen(
        [*command, "--port", "0", *options],
        env=os.environ | settings,
        stderr=PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines: list[str] = []
        log = threading.Thread(target=lines.extend, args=(process.stderr,))
        try:
            running = next(line for line in process.stderr if "running on" in line)
            log.start()
            room = running.split()[4].replace("http", "ws") + "/chatroom"
            yield Uvicorn(process, room, lines)
        finally:
            process.kill()
            log.join(timeout=5)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_with_a_client_that_does_not_read() -> None:
    with (
        uvicorn("--timeout-graceful-shutdown", "1", SEND_TIMEOUT="60") as server,
        ExitStack() as stack,
    ):
        deaf, ada = (
            stack.enter_context(
                connect(
                    f"{server.room}/{name}",
                    proxy=None,
                    compression=None,
                    max_queue=1,
                    close_timeout=0.1,
                )
            )
            for name in ("deaf", "ada")
        )
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        talk_until_nothing_comes(ada)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=5)
    assert any("timeout graceful shutdown exceeded" in line for line in server.lines)
    raised = [
        line
        for line in server.lines
        if re.match(r"[\w.]+(Error|Disconnect\w*)\b", line)
    ]
    assert [line for line in raised if "CancelledError" not in line] == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the highest memory")
def test_large_texts_cost_no_memory() -> None:
    """With the option that the text names. Without it these took 670 MiB more."""
    readme = (catalog.RECIPES / "r05_chat" / "README.md").read_text(encoding="utf-8")
    option = "--ws-max-size 65536"
    runs = re.findall(r"^\$ .*uvicorn recipes\.r05_chat\.main:app.*$", readme, re.M)
    assert runs
    assert all(option in run for run in runs)
    with uvicorn(*option.split()) as server, ExitStack() as stack:

        def highest() -> int:
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            assert found
            return int(found[1]) // 1024

        before = highest()
        # What fits comes through, to the byte.
        with connect(f"{server.room}/ada", proxy=None) as ada:
            ada.send("é" * 32_768)
            assert len(json.loads(ada.recv(timeout=2))["message"]) == 32_768
        large = "x" * 16 * 2**20
        big = [
            stack.enter_context(
                connect(f"{server.room}/{n}", proxy=None, close_timeout=1)
            )
            for n in range(20)
        ]
        with ThreadPoolExecutor(len(big)) as pool:
            list(pool.map(lambda each: sent_until_closed(each, large), big))
        assert {each.close_code for each in big} == {1009}
        assert highest() - before < 40


def sent_until_closed(client: ClientConnection, text: str) -> None:
    with suppress(ConnectionClosed):
        client.send(text)
    with suppress(ConnectionClosed):
        while True:
            client.recv(timeout=5)


# The exercise


def test_talks_in_a_room(client: Client) -> None:
    with (
        client.websocket_connect("/rooms/talks/ada") as ada,
        client.websocket_connect("/rooms/talks/bob") as bob,
    ):
        assert ada.receive_json() == system("bob joined the chat")
        for text in (" Hello! ", "", '{"not": "for one"}'):
            talk(bob, [ada], "bob", text)
            talk(ada, [bob], "ada", text)
        talk(bob, [ada], "bob", "Bye!")


def test_rooms_are_apart(client: Client) -> None:
    with (
        client.websocket_connect("/rooms/here/ada") as ada,
        client.websocket_connect("/rooms/there/bob") as bob,
        client.websocket_connect("/rooms/here/cy") as cy,
    ):
        ada.receive_json()  # cy joined, or what an answer makes of it
        ada.send_text("Only for here")
        assert said("ada", "Only for here") in [cy.receive_json()]
        # The next that bob gets is his own: he has heard nothing of it.
        bob.send_text("Only for there")
        assert bob.receive_json()["message"] == "Only for there"


@pytest.mark.live
def test_leaving_is_announced_once(client: LiveClient) -> None:
    with client.websocket_connect("/rooms/leaving/ada") as ada:
        for end in ("close", "bytes", "too long", "cut"):
            with client.raw("/rooms/leaving/bob") as bob:
                ada.receive_json()
                match end:
                    case "close":
                        bob.write(masked(Opcode.CLOSE, b""))
                    case "bytes":
                        bob.send_bytes(b"bytes")
                        assert bob.receive() == closed(1003, "Text only")
                    case "too long":
                        bob.send_text(TOO_LONG)
                        assert bob.receive()["code"] == 1009
                    case "cut":
                        bob.cut()
            assert ada.receive_json() == system("bob left the chat")
            # Once: the next that comes is ada's own.
            ada.send_text("Who is here?")
            assert ada.receive_json()["message"] == "Who is here?"
        # Cut while a text waits for it: who said that goes on.
        assert isinstance(ada, LiveSession)
        texts = [f"{n} " + "x" * 8_000 for n in range(40)]
        with client.raw("/rooms/leaving/bob", window=4096) as bob:
            ada.receive_json()
            for text in texts:
                ada.send_text(text)
            heard = until_silence(ada)
            bob.cut()
            while len(heard) < len(texts) + 1:
                heard.append(ada.receive_json())
        heard.remove(system("bob left the chat"))
        assert [message["message"] for message in heard] == texts


def test_lists_the_users(client: Client) -> None:
    with (
        client.websocket_connect("/rooms/list/cy") as cy,
        client.websocket_connect("/rooms/other/elsewhere"),
    ):
        with client.websocket_connect("/rooms/list/" + quote('名 "x"')):
            with client.websocket_connect("/rooms/list/ada"):
                users = client.get("/rooms/list").json()["users"]
                assert users == ["ada", "cy", '名 "x"']
            assert client.get("/rooms/list").json() == {"users": ["cy", '名 "x"']}
        assert client.get("/rooms/list").json() == {"users": ["cy"]}
        cy.close()


@pytest.mark.live
def test_an_empty_room_is_forgotten(client: LiveClient) -> None:
    for end in ("close", "bytes", "cut"):
        assert client.get("/rooms/empty").status_code == 404
        with client.raw("/rooms/empty/ada") as ada:
            assert client.get("/rooms/empty").json() == {"users": ["ada"]}
            if end == "bytes":
                ada.send_bytes(b"bytes")
                ada.receive()
            elif end == "cut":
                ada.cut()
    assert client.get("/rooms/empty").status_code == 404
    # A name that nobody may have opens no room.
    for name in (" ", "You", "x" * 33, "ｓｙｓｔｅｍ", "\u3164", "you\u034f"):
        refused(client, f"/rooms/empty/{quote(name, safe='')}")
        assert client.get("/rooms/empty").status_code == 404


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
def test_who_does_not_read_leaves_the_room(client: LiveClient) -> None:
    with (
        client.raw("/rooms/slow/deaf", window=4096),
        client.websocket_connect("/rooms/slow/bob") as bob,
        client.websocket_connect("/rooms/slow/ada") as ada,
    ):
        assert bob.receive_json() == system("ada joined the chat")
        heard: list[dict[str, Any]] = []
        sent: list[dict[str, Any]] = []
        for n in range(60):  # more than waits for a client without holding up anybody
            text = f"{n} " + "x" * 8_000
            sent.append(said("ada", text))
            ada.send_text(text)
            while ada.receive_json()["sender"] == "system":
                pass
            heard.append(bob.receive_json())
        while system("deaf left the chat") not in heard:
            heard.append(bob.receive_json())
        # Once, and nothing else: up to a last word.
        sent.append(said("ada", "That is all"))
        ada.send_text("That is all")
        while heard[-1] != sent[-1]:
            heard.append(bob.receive_json())
        heard.remove(system("deaf left the chat"))
        assert heard == sent


@pytest.mark.live
def test_a_name_is_taken(client: LiveClient) -> None:
    for _ in range(2):  # the second time, it is free again
        with client.websocket_connect("/rooms/taken/ada") as ada:
            refusal = refused(client, "/rooms/taken/ada")
            assert refusal.status_code == 409  # type: ignore[attr-defined]
            assert client.get("/rooms/taken").json() == {"users": ["ada"]}
            with client.websocket_connect("/rooms/elsewhere/ada") as other:
                other.send_text("Here I may be ada")
                assert other.receive_json()["sender"] == "You"
            # The next that ada gets is her own: she has noticed nothing.
            ada.send_text("Anybody?")
            assert ada.receive_json() == said("You", "Anybody?")
    # Of several who come at the same moment one gets it.
    assert at_once(client, "/rooms/taken/ada", 16) == [101] + 15 * [409]


def until_silence(session: LiveSession) -> list[dict[str, Any]]:
    """What a session receives until nothing comes for a while, or its end."""
    messages = []
    with suppress(TimeoutError, ConnectionClosed):
        while True:
            data = session.connection.recv(timeout=0.3)
            session.noted({"type": "websocket.send", "text": data})
            messages.append(json.loads(data))
    return messages


def direct(to: str, message: str) -> str:
    return json.dumps({"to": to, "message": message})


def test_direct_message(client: Client) -> None:
    with (
        client.websocket_connect("/rooms/direct/ada") as ada,
        client.websocket_connect("/rooms/direct/bob") as bob,
        client.websocket_connect("/rooms/direct/cy") as cy,
    ):
        for session in (ada, ada, bob):
            assert session.receive_json()["sender"] == "system"
        ada.send_text(direct("bob", "psst"))
        assert bob.receive_json() == said("ada", "psst") | {"direct": True}
        talk(ada, [bob, cy], "ada", "To everybody")


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
def test_direct_message_to_nobody(client: LiveClient) -> None:
    with (
        client.websocket_connect("/rooms/nobody/ada") as ada,
        client.websocket_connect("/rooms/nobody/bob") as bob,
        client.websocket_connect("/rooms/elsewhere/cy"),
    ):
        assert ada.receive_json()["sender"] == "system"
        for name in ("system", "", "cy"):
            ada.send_text(direct(name, "psst"))
            assert ada.receive_json() == system(f"{name} is not here")
        ada.send_text("To everybody")
        assert bob.receive_json()["message"] == "To everybody"
    with (
        client.raw("/rooms/quiet/deaf", window=4096),
        client.websocket_connect("/rooms/quiet/ada") as ada,
    ):
        # Who does not read is let go here, too, and then is not there.
        for _ in range(40):
            ada.send_text(direct("deaf", "x" * 8_000))
        while ada.receive_json() != system("deaf left the chat"):
            pass
        ada.send_text(direct("deaf", "psst"))
        while ada.receive_json() != system("deaf is not here"):
            pass


ORDINARY = [
    "{}",
    "null",
    '["bob", "psst"]',
    '{"to": "bob"}',
    '{"to": "bob", "message": 5}',
    '{"to": 5, "message": "psst"}',
    '{"to": "bob", "message": "psst", "from": "cy"}',
    '{"to": "bob", "message": "\\ud800"}',
    '{"to": "bob", "message": "psst"} ?',
    '{"to": "bob", "message": %s}' % ("[" * 60_000),
    "9" * 5_000,
]


def test_other_json_is_ordinary(client: Client) -> None:
    with (
        client.websocket_connect("/rooms/ordinary/ada") as ada,
        client.websocket_connect("/rooms/ordinary/bob") as bob,
    ):
        assert ada.receive_json()["sender"] == "system"
        for text in ORDINARY:
            ada.send_text(text)
            assert bob.receive_json() == said("ada", text)
