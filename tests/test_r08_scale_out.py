"""Recipe 8: one chat on many workers; its exercise says who is there on all of them."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.frames import Opcode
from websockets.sync.client import ClientConnection, connect

from recipes.workbench.judging import (
    Client,
    LiveClient,
    Session,
    a_room_of_twenty_loses_six,
    closed,
    masked,
    said,
    system,
)
from recipes.workbench.judging.redis_server import Missing, RedisServer, mortal, shared
from recipes.workbench.servers.server import AppServer

if TYPE_CHECKING:
    pass

ID = re.compile(r"[0-9]+-[0-9]+")
MISSED = system("You missed messages that are no longer kept")
INTERRUPTED = system("Delivery is interrupted")
BACK = system("Delivery is back")
# Seconds in which delivery must be back once Redis is.
COMES_BACK = 3.0

posix = pytest.mark.skipif(sys.platform == "win32", reason="it needs POSIX signals")


def room(name: str, **query: str) -> str:
    """The address of the room for a user."""
    return f"/chatroom/{quote(name, safe='')}" + ("?" + urlencode(query)) * bool(query)


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A frame of the log without its id, which must be there."""
    assert ID.fullmatch(message["id"])
    return {key: value for key, value in message.items() if key != "id"}


def hears(session: Session, *messages: dict[str, Any]) -> list[str]:
    """See these come next from the log; their ids."""
    came = [session.receive_json() for _ in messages]
    assert [plain(message) for message in came] == list(messages)
    return [message["id"] for message in came]


def says(talker: Session, text: str, others: list[Session], name: str) -> str:
    """Say something, see it arrive under one id at everybody; the id."""
    talker.send_text(text)
    (id,) = hears(talker, said("You", text))
    assert all(hears(other, said(name, text)) == [id] for other in others)
    return id


def keyed(key: str, message: str) -> str:
    return json.dumps({"key": key, "message": message})


def refused(client: Client, url: str) -> WebSocketDisconnect:
    """What a handshake that must be refused is answered with."""
    with pytest.raises(WebSocketDisconnect) as refusal, client.websocket_connect(url):
        pass
    return refusal.value


# In memory: recipe 5's chat, and ids


def test_a_conversation(client: Client) -> None:
    with client.websocket_connect(room("ada")) as ada:
        with client.websocket_connect(room("bob")) as bob:
            ids = hears(ada, system("bob joined the chat"))
            for text in ("Hello!", "", "名前", '{"a": 1}', "<b>", "x" * 65_536):
                ids.append(says(bob, text, [ada], "bob"))
        ids += hears(ada, system("bob left the chat"))
    places = [tuple(map(int, id.split("-"))) for id in ids]
    assert places == sorted(set(places))
    assert client.log[:3] == [
        ("INFO", "ada joined the chat"),
        ("INFO", "bob joined the chat"),
        ("INFO", "bob says: Hello!"),
    ]
    assert client.log[-1] == ("INFO", "ada left the chat")


def test_the_log_cannot_be_forged(client: Client) -> None:
    with client.websocket_connect(room("ada")) as ada:
        says(ada, "hi\nINFO:     bob left\x1b[31m名", [], "ada")
    assert client.log[1] == ("INFO", r"ada says: hi\nINFO:     bob left\x1b[31m名")


def test_everybody_sees_the_same_order(client: Client) -> None:
    with contextlib.ExitStack() as stack:
        names = [f"{n}" for n in range(6)]
        sessions = {
            name: stack.enter_context(client.websocket_connect(room(name)))
            for name in names
        }
        for n in range(20):
            for name, session in sessions.items():
                session.send_text(f"{name} {n}")
        seen = []
        for session in sessions.values():
            texts: list[tuple[str, str]] = []
            while len(texts) < 120:
                message = session.receive_json()
                if message["sender"] != "system":
                    texts.append((message["id"], message["message"]))
            seen.append(texts)
        assert all(each == seen[0] for each in seen)
        for name in names:
            own = [text for _, text in seen[0] if text.startswith(f"{name} ")]
            assert own == [f"{name} {n}" for n in range(20)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a\nb",
        "x" * 33,
        " SYSTEM ",
        "you",
        "\0",
        "a/b",
        "ｓｙｓｔｅｍ",
        "\u3164",
        "\u034f",
    ],
)
def test_names_that_nobody_may_have(client: Client, name: str) -> None:
    refused(client, room(name))
    assert client.get(room(name)).status_code in {404, 422}
    assert client.log == []


@pytest.mark.parametrize("name", ["a#b", "a?b=1&c", "<b>x", "名前", "x" * 32])
def test_strange_names(client: Client, name: str) -> None:
    with client.websocket_connect(room("ada")) as ada:
        with client.websocket_connect(room(name)) as other:
            hears(ada, system(f"{name} joined the chat"))
            says(other, "hi", [ada], name)
        hears(ada, system(f"{name} left the chat"))
    assert client.get(room(name)).status_code == 200


def test_two_may_share_a_name(client: Client) -> None:
    with client.websocket_connect(room("ada")) as one:
        with client.websocket_connect(room("ada")) as other:
            hears(one, system("ada joined the chat"))
            says(other, "hi", [one], "ada")
        hears(one, system("ada left the chat"))


def test_a_broken_rule_ends_its_sender_alone(client: Client) -> None:
    with client.websocket_connect(room("ada")) as ada:
        for rule in (closed(1003, "Text only"), closed(1009, "Too long a text")):
            with client.websocket_connect(room("bob")) as bob:
                hears(ada, system("bob joined the chat"))
                bob.send_text("first")
                if rule["code"] == 1003:
                    bob.send_bytes(b"bytes")
                else:
                    bob.send_text("é" * 32_769)
                hears(bob, said("You", "first"))
                assert bob.receive() == rule
            hears(ada, said("bob", "first"), system("bob left the chat"))
            says(ada, "still here", [], "ada")


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
def test_a_room_of_twenty_loses_six(client: LiveClient) -> None:
    a_room_of_twenty_loses_six(client)


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
def test_who_does_not_read_is_let_go(client: LiveClient) -> None:
    with (
        client.raw(room("deaf"), window=4096) as deaf,
        client.websocket_connect(room("bob")) as bob,
        client.websocket_connect(room("ada")) as ada,
    ):
        hears(bob, system("ada joined the chat"))
        heard: list[str] = []
        left = False
        for n in range(300):
            ada.send_text(f"{n} " + "x" * 8_000)
        while len(heard) < 300 or not left:
            message = bob.receive_json()
            if message["sender"] == "ada":
                heard.append(message["message"].split()[0])
            else:
                assert message["message"] == "deaf left the chat"
                left = True
        assert heard == [f"{n}" for n in range(300)]
        # What it had been sent is there, in order and without a gap; then the end.
        came = []
        while (message := deaf.receive())["type"] == "websocket.send":
            text = json.loads(message["text"])["message"]
            came += [text.split()[0]] if text.endswith("x") else []
        assert came == heard[: len(came)]
        assert message["code"] in {1013, 1006}


@pytest.mark.live
@pytest.mark.settings(SEND_TIMEOUT=0.5)
def test_a_flood_leaves_the_others_their_turn(client: LiveClient) -> None:
    with (
        client.websocket_connect(room("bob")) as bob,
        client.websocket_connect(room("ada")) as ada,
    ):
        hears(bob, system("ada joined the chat"))
        for n in range(3_000):
            ada.send_text(f"{n} " + "x" * 1_000)
        bob.send_text("May I?")
        before = 0
        while bob.receive_json()["sender"] != "You":
            before += 1
        assert before < 3_000
        while before < 3_000:
            assert bob.receive_json()["message"].split()[0] == f"{before}"
            before += 1


# Coming back


def test_what_was_missed_comes_first(client: Client) -> None:
    with client.websocket_connect(room("bob")) as bob:
        with client.websocket_connect(room("ada", client="A")) as ada:
            hears(bob, system("ada joined the chat"))
            seen = says(ada, "seen", [bob], "ada")
            ada.send_text("mine")
            hears(bob, said("ada", "mine"))
        hears(bob, system("ada left the chat"))
        ids = [says(bob, f"{n}", [], "bob") for n in range(3)]
        with client.websocket_connect(room("ada", since=seen, client="A")) as ada:
            missed = [said("You", "mine"), *(said("bob", f"{n}") for n in range(3))]
            # Its own leaving and coming back are no news to it.
            assert hears(ada, *missed)[1:] == ids
            hears(bob, system("ada joined the chat"))
            says(bob, "now", [ada], "bob")
        # Another client is another, whatever its name.
        with client.websocket_connect(room("ada", since=seen)) as other:
            first = [other.receive_json() for _ in range(2)]
            assert plain(first[0]) == said("ada", "mine")
            assert plain(first[1]) == system("ada left the chat")


def test_without_since_nothing_old_comes(client: Client) -> None:
    with client.websocket_connect(room("bob")) as bob:
        says(bob, "old", [], "bob")
        with client.websocket_connect(room("ada")) as ada:
            hears(bob, system("ada joined the chat"))
            says(bob, "new", [ada], "bob")


@pytest.mark.parametrize("since", ["1-1", "0-0", "99999999999999-0"])
def test_an_id_that_the_log_does_not_know(client: Client, since: str) -> None:
    with client.websocket_connect(room("bob")) as bob:
        last = says(bob, "kept", [], "bob")
        with client.websocket_connect(room("ada", since=since)) as ada:
            assert ada.receive_json() == MISSED
            while (message := ada.receive_json())["id"] != last:
                pass
            hears(bob, system("ada joined the chat"))
            says(bob, "now", [ada], "bob")
        assert message["message"] == "kept"


@pytest.mark.settings(HISTORY=4)
def test_more_was_said_than_is_kept(client: Client) -> None:
    with client.websocket_connect(room("bob")) as bob:
        ids = [says(bob, f"{n}", [], "bob") for n in range(8)]
        # With the join four are kept, of which three are for ada.
        with client.websocket_connect(room("ada", since=ids[0])) as ada:
            assert ada.receive_json() == MISSED
            hears(ada, *(said("bob", f"{n}") for n in (5, 6, 7)))
            hears(bob, system("ada joined the chat"))
        hears(bob, system("ada left the chat"))
        ids = [says(bob, f"{n}", [], "bob") for n in range(8)]
        # What came after that one is all there.
        with client.websocket_connect(room("ada", since=ids[4])) as ada:
            hears(ada, *(said("bob", f"{n}") for n in (5, 6, 7)))


@pytest.mark.live
@pytest.mark.settings(HISTORY=2)
def test_who_is_there_misses_nothing_however_little_is_kept(client: LiveClient) -> None:
    with (
        client.websocket_connect(room("bob")) as bob,
        client.websocket_connect(room("ada")) as ada,
    ):
        hears(bob, system("ada joined the chat"))
        for n in range(500):
            ada.send_text(f"{n}")
        hears(bob, *(said("ada", f"{n}") for n in range(500)))


@pytest.mark.parametrize(
    "query",
    [
        *("since=", "since=1", "since=1-", "since=-1", "since=a-0", "since=1-0-0"),
        *("since=%D9%A1-0", "since=1-0%0A", "since=+1-0", "since=" + "9" * 21 + "-0"),
        "client=" + "x" * 65,
    ],
)
def test_malformed_queries_are_refused(client: Client, query: str) -> None:
    refusal = refused(client, f"/chatroom/ada?{query}")
    if isinstance(client, LiveClient):
        assert refusal.status_code == 403  # type: ignore[attr-defined]
    assert client.log == []


def test_a_client_of_64_characters(client: Client) -> None:
    with client.websocket_connect(room("ada", client="名" * 64)) as ada:
        says(ada, "hi", [], "ada")


# Keys


def test_a_key_is_for_its_client_alone(client: Client) -> None:
    with (
        client.websocket_connect(room("bob")) as bob,
        client.websocket_connect(room("ada", client="A")) as ada,
    ):
        hears(bob, system("ada joined the chat"))
        ada.send_text(keyed("k" * 64, "Hello!"))
        hears(ada, said("You", "Hello!") | {"key": "k" * 64})
        hears(bob, said("ada", "Hello!"))
    assert ("INFO", "ada says: Hello!") in client.log


def test_the_same_key_is_the_same_message(client: Client) -> None:
    with client.websocket_connect(room("bob")) as bob:
        with client.websocket_connect(room("ada", client="A")) as ada:
            hears(bob, system("ada joined the chat"))
            for _ in range(3):
                ada.send_text(keyed("1", "once"))
            (first,) = hears(ada, said("You", "once") | {"key": "1"})
            says(ada, "next", [], "ada")
        hears(bob, said("ada", "once"), said("ada", "next"))
        hears(bob, system("ada left the chat"))
        # It comes to this connection: no other answer.
        with client.websocket_connect(room("ada", client="A", since=first)) as ada:
            hears(ada, said("You", "next"))
            # It does not: an answer, which is no entry of the log.
            ada.send_text(keyed("1", "once"))
            assert ada.receive_json() == said("You", "once") | {"key": "1"}
        hears(bob, system("ada joined the chat"), system("ada left the chat"))
        # Another client's key is another, however the two are put together.
        with client.websocket_connect(room("eve", client="A:1")) as eve:
            hears(bob, system("eve joined the chat"))
            for key in ("1", ":1"):
                eve.send_text(keyed(key, "mine"))
                hears(eve, said("You", "mine") | {"key": key})
                hears(bob, said("eve", "mine"))


ORDINARY = [
    *("{}", "null", "[]", '{"key": "k"}', '{"message": "m"}'),
    '{"key": "", "message": "m"}',
    json.dumps({"key": "k" * 65, "message": "m"}),
    '{"key": 5, "message": "m"}',
    '{"key": "k", "message": 5}',
    '{"key": "k", "message": "m", "to": "bob"}',
    '{"key": "k", "message": "\\ud800"}',
    '{"key": "k", "message": "m"} ?',
    '{"key": "k", "message": %s}' % ("[" * 60_000),
]


def test_any_other_text_is_an_ordinary_one(client: Client) -> None:
    with (
        client.websocket_connect(room("bob")) as bob,
        client.websocket_connect(room("ada")) as ada,
    ):
        hears(bob, system("ada joined the chat"))
        for text in ORDINARY:
            says(ada, text, [bob], "ada")


# What no client shows


def entry(count: int, id: str | None = None) -> Any:
    from recipes.r08_scale_out.frames import Draft, Entry

    return Entry(id or f"{count}-0", count, Draft("ada", f"{count}", "A"))


@pytest.mark.parametrize(
    ("counts", "holes"),
    [
        ([1, 2, 3], []),
        ([7, 8, 9], []),  # a worker that came later
        ([1, 2, 5, 6], [2]),  # a worker that slept too long
        ([1, 2, 1, 2], []),  # Redis forgot everything
        ([5, 6, 3], [2]),  # and others have spoken before this worker was back
    ],
)
def test_a_history_knows_what_it_did_not_hear(
    counts: list[int], holes: list[int]
) -> None:
    from recipes.r08_scale_out.history import History

    history = History(limit=10)
    for n, count in enumerate(counts):
        history.append(entry(count, f"{n}-1"))
    empty = [n for n in range(history.next) if history.get(n) is None]
    assert empty == holes
    seamless = all(b - a == 1 for a, b in itertools.pairwise(counts))
    assert (history.after("0-1") is not None) == seamless
    assert history.after(f"{len(counts) - 1}-1") == history.next


def test_a_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r08_scale_out.history import History

    monkeypatch.setattr("recipes.r08_scale_out.history.MOST_ENTRIES", 20)
    history = History(limit=5)
    for count in range(1, 101):
        history.append(entry(count))
    kept = [n for n in range(100) if history.get(n)]
    assert kept == list(range(80, 100))
    assert history.skip(3) == 80
    assert history.after("94-0") is None
    assert history.after("95-0") == 95
    monkeypatch.setattr("recipes.r08_scale_out.history.MOST_BYTES", 0)
    history.append(entry(101))
    assert history.skip(0) == 95


# On a real Redis: several workers


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis that no test may harm for longer than itself."""
    try:
        with RedisServer() as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def own() -> Iterator[Callable[..., RedisServer]]:
    """Starts a Redis for one test alone."""
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> RedisServer:
            try:
                return stack.enter_context(RedisServer(*options))
            except Missing as missing:
                pytest.skip(str(missing))

        yield start


@pytest.fixture
def worker() -> Iterator[Callable[..., LiveClient]]:
    """Starts a worker, a server of its own at another port; a client of it.

    Its crashes fail the test, and a handler that does not end.
    """
    clients: list[LiveClient] = []
    with contextlib.ExitStack() as stack:

        def start(url: str, **settings: object) -> LiveClient:
            server = AppServer(
                "recipes.r08_scale_out.main", None, {"CHAT_BROKER": url} | settings
            )
            stack.callback(server.kill)
            clients.append(stack.enter_context(LiveClient(server)))
            return clients[-1]

        yield start
        for client in clients:
            assert client.crashes == []
            assert client.stuck == []


Worker = Callable[..., LiveClient]
Own = Callable[..., RedisServer]


def until(session: Session, wanted: dict[str, Any], within: float) -> list[Any]:
    """What comes before `wanted`, which comes in time."""
    deadline = time.monotonic() + within
    before: list[Any] = []
    while True:
        message = session.receive_json()
        assert time.monotonic() < deadline, f"late: {message}"
        if message == wanted:
            return before
        before.append(message)


def not_delivered(text: str, **key: str) -> dict[str, Any]:
    return system("Not delivered, try again") | {"text": text} | key


def test_workers_are_one_room(redis: RedisServer, worker: Worker) -> None:
    here, there = worker(redis.url), worker(redis.url)
    with (
        here.websocket_connect(room("ada", client="A")) as ada,
        there.websocket_connect(room("bob", client="B")) as bob,
    ):
        hears(ada, system("bob joined the chat"))
        for n in range(50):
            ada.send_text(f"a{n}")
            bob.send_text(f"b{n}")
        seen = []
        for session in (ada, bob):
            messages = [session.receive_json() for _ in range(100)]
            seen.append([(m["id"], m["message"]) for m in messages])
        assert seen[0] == seen[1]
        last = seen[0][-1][0]
        ada.send_text(keyed("k", "before"))
        (before,) = hears(ada, said("You", "before") | {"key": "k"})
        hears(bob, said("ada", "before"))
        ada.close()
        hears(bob, system("ada left the chat"))
        says(bob, "meanwhile", [], "bob")
        # On another worker: what was missed, once; and the retry is the same message.
        with there.websocket_connect(room("ada", client="A", since=last)) as again:
            hears(again, said("You", "before") | {"key": "k"}, said("bob", "meanwhile"))
            again.send_text(keyed("k", "before"))
            hears(bob, system("ada joined the chat"))
            says(again, "now", [bob], "ada")
        hears(bob, system("ada left the chat"))
        with there.websocket_connect(room("ada", client="A", since=before)) as again:
            hears(again, said("bob", "meanwhile"), said("You", "now"))
            again.send_text(keyed("k", "before"))
            assert again.receive_json() == said("You", "before") | {"key": "k"}


def test_a_position_that_this_worker_has_not_read_yet(
    redis: RedisServer, worker: Worker
) -> None:
    here, there = worker(redis.url), worker(redis.url)
    with here.websocket_connect(room("ada", client="A")) as ada:
        last = ""
        for _ in range(100):
            last = says(ada, "x", [], "ada")
            with there.websocket_connect(room("eve", since=last)) as eve:
                eve.send_text("first")
                hears(eve, said("You", "first"))
            hears(ada, *(system(f"eve {what} the chat") for what in ("joined",)))
            hears(ada, said("eve", "first"), system("eve left the chat"))


def test_connections_are_a_fixed_few(own: Own, worker: Worker) -> None:
    redis = own()
    here = worker(redis.url)
    before = len(redis.command("CLIENT", "LIST").splitlines())
    with contextlib.ExitStack() as stack:
        for n in range(50):
            stack.enter_context(here.websocket_connect(room(f"{n}")))
        lines = redis.command("CLIENT", "LIST").splitlines()
    assert len(lines) == before <= 4


def test_what_redis_keeps_is_bounded(own: Own, worker: Worker) -> None:
    redis = own()
    here = worker(redis.url, HISTORY=50)
    with here.websocket_connect(room("ada")) as ada:
        ids = [says(ada, f"{n}", [], "ada") for n in range(500)]
    assert redis.command("XLEN", "{chat}:log") <= 200
    # A worker that comes later knows as much as is kept.
    there = worker(redis.url, HISTORY=50)
    with there.websocket_connect(room("bob", since=ids[0])) as bob:
        assert bob.receive_json() == MISSED
        first = bob.receive_json()
        assert first["id"] in ids[440:460]
    with there.websocket_connect(room("bob", since=ids[-10])) as bob:
        hears(bob, *(said("ada", f"{n}") for n in range(491, 500)))


def test_who_is_gone_before_the_handshake_is_answered(
    redis: RedisServer, worker: Worker
) -> None:
    here = worker(redis.url)
    request = (
        b"GET /chatroom/ghost HTTP/1.1\r\nHost: localhost\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    with here.websocket_connect(room("ada")) as ada:
        linger = struct.pack("ii", 1, 0)
        for n in range(30):
            with socket.create_connection(("127.0.0.1", here.server.port)) as ghost:
                ghost.sendall(request)
                if n % 2:  # a reset
                    ghost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        ada.send_text("last")
        while ada.receive_json()["sender"] != "You":
            pass
    events = [text.split()[1] for _, text in here.log if text.startswith("ghost")]
    assert events.count("joined") == events.count("left")


# Redis goes


@posix
@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_redis_is_away(own: Own, worker: Worker, how: str) -> None:
    redis = own("--requirepass", "geheim")
    url = f"redis://:geheim@127.0.0.1:{redis.port}/0"
    here, there = (worker(url, BROKER_TIMEOUT=1) for _ in range(2))
    with (
        here.websocket_connect(room("ada", client="A")) as ada,
        there.websocket_connect(room("bob")) as bob,
    ):
        hears(ada, system("bob joined the chat"))
        seen = says(ada, "before", [bob], "ada")
        getattr(redis, "kill" if how == "killed" else "pause")()
        began = time.monotonic()
        ada.send_text("no key")
        for n in range(20):
            ada.send_text(keyed(f"{n}", f"{n}"))
        answers = [ada.receive_json() for _ in range(22)]
        # All that came together is answered in time, not one after the other.
        assert time.monotonic() - began < 3
        assert answers.count(INTERRUPTED) == 1
        answers.remove(INTERRUPTED)
        assert answers == [
            not_delivered("no key"),
            *(not_delivered(f"{n}", key=f"{n}") for n in range(20)),
        ]
        assert bob.receive_json() == INTERRUPTED
        refusal = refused(there, room("cy"))
        assert refusal.status_code == 503  # type: ignore[attr-defined]
        assert int(refusal.headers["Retry-After"]) >= 1  # type: ignore[attr-defined]
        getattr(redis, "start" if how == "killed" else "resume")()
        # What hung may have been stored all the same; nothing of it comes twice.
        late = until(ada, BACK, COMES_BACK) + until(bob, BACK, COMES_BACK)
        assert how == "hangs" or late == []
        ada.send_text(keyed("3", "3"))
        while (message := ada.receive_json()).get("key") != "3":
            assert message["sender"] == "You"
        says(ada, "after", [], "ada")
        heard = [message["message"] for message in late if message["sender"] == "ada"]
        while (message := bob.receive_json())["message"] != "after":
            heard.append(message["message"])
        assert heard.count("3") == 1
        assert len(set(heard)) == len(heard)
        # Whoever has seen `seen` has missed something only if Redis has forgotten it.
        with there.websocket_connect(room("cy", since=seen)) as cy:
            assert (cy.receive_json() == MISSED) == (how == "killed")
    warnings = [text for level, text in here.log if level == "WARNING"]
    assert len([w for w in warnings if w.startswith("Delivery is interrupted: ")]) == 1
    assert "Not delivered: ada says: no key" in warnings
    assert here.log.count(("INFO", "Delivery is back")) == 1
    assert "geheim" not in str(here.log) + str(there.log) + "".join(here.server.output)


@posix
def test_a_redis_that_keeps_its_log_loses_nothing(own: Own, worker: Worker) -> None:
    redis = own("--appendonly", "yes", "--appendfsync", "everysec")
    here = worker(redis.url)
    with here.websocket_connect(room("bob")) as bob:
        with here.websocket_connect(room("ada", client="A")) as ada:
            hears(bob, system("ada joined the chat"))
            ada.send_text(keyed("k", "kept"))
            hears(bob, said("ada", "kept"))
            (last,) = hears(ada, said("You", "kept") | {"key": "k"})
            redis.kill()
            until(bob, INTERRUPTED, 2)
            # Who leaves meanwhile is told of when it can be.
        redis.start()
        assert until(bob, BACK, COMES_BACK) == []
        hears(bob, system("ada left the chat"))
        with here.websocket_connect(room("ada", client="A", since=last)) as ada:
            hears(bob, system("ada joined the chat"))
            ada.send_text(keyed("k", "kept"))
            assert ada.receive_json() == said("You", "kept") | {"key": "k"}
            says(bob, "still one", [ada], "bob")


def test_redis_forgets_everything(own: Own, worker: Worker) -> None:
    redis = own()
    here, there = worker(redis.url), worker(redis.url)
    with (
        here.websocket_connect(room("ada")) as ada,
        there.websocket_connect(room("bob")) as bob,
    ):
        hears(ada, system("bob joined the chat"))
        old = says(ada, "old", [bob], "ada")
        redis.command("FLUSHALL")
        new = says(bob, "new", [ada], "bob")
        for each in (here, there):
            with each.websocket_connect(room("cy", since=old)) as cy:
                assert cy.receive_json() == MISSED
                assert cy.receive_json()["id"] == new


@posix
def test_a_worker_that_slept_too_long_says_so(own: Own, worker: Worker) -> None:
    redis = own()
    here = worker(redis.url, HISTORY=20)
    there = worker(redis.url, HISTORY=20)
    with (
        here.websocket_connect(room("ada")) as ada,
        there.websocket_connect(room("bob")) as bob,
    ):
        hears(ada, system("bob joined the chat"))
        pid = there.server._process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            for n in range(400):
                says(ada, f"{n}", [], "ada")
        finally:
            os.kill(pid, signal.SIGCONT)
        came = until(bob, MISSED, 5)
        while (message := bob.receive_json())["message"] != "399":
            came.append(message)
        numbers = [int(m["message"]) for m in came if m["sender"] == "ada"]
        assert numbers == sorted(set(numbers))


# Redis refuses


def test_start_without_a_redis(own: Own, worker: Worker) -> None:
    redis = own()
    redis.kill()
    here = worker(redis.url)
    for _ in range(2):
        assert refused(here, room("ada")).status_code == 503  # type: ignore[attr-defined]
    assert [level for level, _ in here.log] == []
    assert here.server.log()[0][1].startswith("Delivery is interrupted: no answer")
    redis.start()
    deadline = time.monotonic() + COMES_BACK
    while ("INFO", "Delivery is back") not in here.log:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with here.websocket_connect(room("ada")) as ada:
        says(ada, "hi", [], "ada")


@pytest.mark.parametrize(
    ("options", "password", "named"),
    [
        (("--requirepass", "geheim"), "", "password"),
        (("--requirepass", "geheim"), ":falsch@", "password"),
        (("--maxmemory", "1"), "", "memory"),
        (("--replicaof", "127.0.0.1", "1"), "", "replica"),
    ],
    ids=["no password", "wrong password", "full", "replica"],
)
def test_a_redis_that_is_of_no_use(
    own: Own, worker: Worker, options: tuple[str, ...], password: str, named: str
) -> None:
    redis = own(*options)
    here = worker(f"redis://{password}127.0.0.1:{redis.port}/0")
    assert refused(here, room("ada")).status_code == 503  # type: ignore[attr-defined]
    [(level, text)] = here.server.log()
    assert (level, text.split(":")[0]) == ("WARNING", "Delivery is interrupted")
    assert named in text
    assert "geheim" not in text
    assert "falsch" not in text


def test_memory_is_full_in_the_midst(own: Own, worker: Worker) -> None:
    redis = own()
    here = worker(redis.url, BROKER_TIMEOUT=0.5)
    with here.websocket_connect(room("ada")) as ada:
        says(ada, "before", [], "ada")
        redis.command("CONFIG", "SET", "maxmemory", "1")
        ada.send_text("lost")
        assert ada.receive_json() == INTERRUPTED
        assert ada.receive_json() == not_delivered("lost")
        redis.command("CONFIG", "SET", "maxmemory", "0")
        assert until(ada, BACK, COMES_BACK) == []
        says(ada, "after", [], "ada")


def test_what_others_write_into_the_log_is_passed_over(
    own: Own, worker: Worker
) -> None:
    redis = own()
    here = worker(redis.url)
    with here.websocket_connect(room("ada")) as ada:
        redis.command("XADD", "{chat}:log", "*", "what", "is this")
        redis.command("XADD", "{chat}:log", "*", "count", "x", "sender", "eve")
        says(ada, "hi", [], "ada")
        redis.command("XADD", "{chat}:log", "*", "what", "is this")
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        assert ada.receive_json() == INTERRUPTED
        # Nothing comes a second time.
        assert until(ada, BACK, COMES_BACK) == []
        says(ada, "on", [], "ada")


def test_a_long_log_of_long_texts(own: Own, worker: Worker) -> None:
    redis = own()
    here = worker(redis.url)
    with here.websocket_connect(room("ada", client="A")) as ada:
        for n in range(400):
            ada.send_text(f"{n} " + "x" * 60_000)
        everything = [ada.receive_json() for _ in range(400)]
    # On a busy machine Redis may seem away for a moment: what says so is no entry.
    came = [message for message in everything if "id" in message]
    there = worker(redis.url)
    with there.websocket_connect(room("bob", since=came[99]["id"])) as bob:
        for message in came[100:]:
            assert bob.receive_json()["id"] == message["id"]


# From outside: uvicorn as it is run


@contextlib.contextmanager
def uvicorn(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """uvicorn of recipe 8's chat; its log comes through `stderr`."""
    command = [sys.executable, "-m", "uvicorn", "recipes.r08_scale_out.main:app"]
    with subprocess.Popen(
        [*command, "--port", "0", *options],
        env=os.environ | {"CHAT_BROKER": url, "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            end_with_its_workers(process)


def end_with_its_workers(process: subprocess.Popen[str]) -> None:
    """Workers outlive a supervisor that is killed, and hold its log open."""
    psutil = pytest.importorskip("psutil")
    every = []
    with contextlib.suppress(psutil.NoSuchProcess):
        every = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for worker in every:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    "url",
    ["redis", "http://:geheim@127.0.0.1/0", "redis://:geheim@h:x/0", "redis:///0", " "],
)
def test_an_address_that_is_none(url: str, workers: str) -> None:
    with uvicorn(url, "--workers", workers) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "CHAT_BROKER is not the address of a Redis" in said
    assert "Traceback" not in said
    assert "geheim" not in said


@posix
def test_ctrl_c_with_redis_away(own: Own) -> None:
    redis = own()
    with uvicorn(redis.url) as process:
        assert process.stderr is not None
        running = next(line for line in process.stderr if "running on" in line)
        address = running.split()[4].replace("http", "ws")
        with connect(f"{address}/chatroom/ada", proxy=None) as ada:
            redis.pause()
            ada.send("lost")
            assert json.loads(ada.recv(5)) == INTERRUPTED
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=6)
        redis.resume()
    assert "Traceback" not in said
    assert "Finished server process" in said


def next_text(connection: ClientConnection) -> dict[str, Any]:
    """The next that is not the system's."""
    while (message := json.loads(connection.recv(5)))["sender"] == "system":
        pass
    return dict(message)


@posix
def test_a_worker_is_killed(redis: RedisServer) -> None:
    psutil = pytest.importorskip("psutil")
    with uvicorn(redis.url, "--workers", "2") as process, contextlib.ExitStack() as all:
        assert process.stderr is not None
        running = next(line for line in process.stderr if "running on" in line)
        address = running.split()[4].replace("http", "ws") + "/chatroom"
        log = threading.Thread(target=process.stderr.read, daemon=True)
        log.start()
        parent = psutil.Process(process.pid)

        def enter(name: str, **query: str) -> ClientConnection:
            url = f"{address}/{name}?{urlencode(query)}"
            for _ in range(50):
                with contextlib.suppress(OSError, EOFError):
                    return all.enter_context(connect(url, proxy=None))
                time.sleep(0.1)
            raise AssertionError("nobody lets us in")

        def worker_of(connection: ClientConnection) -> Any:
            port = connection.socket.getsockname()[1]
            for child in parent.children(recursive=True):
                for each in child.net_connections("tcp"):
                    if each.raddr and each.raddr.port == port:
                        return child
            raise AssertionError("no worker holds this connection")

        ada = enter("ada", client="A")
        bob = enter("bob", client="B")
        for _ in range(100):  # until the two are with different workers
            if worker_of(bob) != worker_of(ada):
                break
            bob = enter("bob", client="B")
        ada.send("one")
        last = next_text(ada)["id"]
        assert next_text(bob)["message"] == "one"
        worker_of(ada).kill()
        for n in range(20):
            bob.send(f"{n}")
        ada = enter("ada", client="A", since=last)
        missed = [next_text(ada)["message"] for _ in range(20)]
        assert missed == [f"{n}" for n in range(20)]


def test_nginx_goes_on_with_the_other_one(
    redis: RedisServer, worker: Worker, tmp_path: Path
) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("this is tested where the package nginx is installed")
    here, there = worker(redis.url), worker(redis.url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        front = probe.getsockname()[1]
    ports = {8080: front, 8000: here.server.port, 8001: there.server.port}
    given = Path("recipes/r08_scale_out/nginx.conf").read_text(encoding="utf-8")
    for old, new in ports.items():
        assert given.count(f"127.0.0.1:{old}") == 1
        given = given.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    (tmp_path / "nginx.conf").write_text(given, encoding="utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    command = [nginx, "-e", "stderr", "-p", str(folder)]
    command += ["-c", str(tmp_path / "nginx.conf")]

    def enter(name: str, **query: str) -> ClientConnection:
        url = f"ws://127.0.0.1:{front}{room(name, **query)}"
        for _ in range(100):
            with contextlib.suppress(OSError, EOFError):
                return stack.enter_context(connect(url, proxy=None))
            time.sleep(0.05)
        raise AssertionError("nobody lets us in")

    with subprocess.Popen(command) as process, contextlib.ExitStack() as stack:
        stack.callback(process.terminate)
        ada, bob = enter("ada", client="A"), enter("bob")
        ada.send("one")
        last = next_text(ada)["id"]
        assert next_text(bob)["message"] == "one"
        killed = here if ("INFO", "ada joined the chat") in here.log else there
        other = there if killed is here else here
        assert ("INFO", "bob joined the chat") in other.log
        killed.server.kill()
        bob.send("two")
        ada = enter("ada", client="A", since=last)
        assert next_text(ada)["message"] == "two"
        page = httpx2.get(f"http://127.0.0.1:{front}/chatroom/ada", trust_env=False)
        assert page.status_code == 200


# The exercise


@contextlib.contextmanager
def another(client: LiveClient, file: Path | None = None) -> Iterator[LiveClient]:
    """Another worker with the same answer and settings."""
    name, given, settings = client.server.arguments
    server = AppServer(name, file or given, settings)
    try:
        with LiveClient(server) as other:
            other.transcript = client.transcript
            yield other
    finally:
        server.kill()


def online(client: Client) -> Any:
    return client.get("/online").json()


def comes_to(client: Client, names: list[str], within: float) -> None:
    """Wait until these are there, and no others."""
    deadline = time.monotonic() + within
    while (last := online(client)) != {"users": names}:
        if time.monotonic() > deadline:
            assert last == {"users": names}
        time.sleep(0.1)
        del client.transcript[-2:]


def stay(names: list[str], seconds: float, *clients: LiveClient) -> None:
    """See for some time that all workers know of these."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in clients:
            assert online(each) == {"users": names}
        time.sleep(0.1)
        del clients[0].transcript[-2 * len(clients) :]


def setting(database: int, **more: float) -> pytest.MarkDecorator:
    """Run an answer with a database of its own."""
    return pytest.mark.settings(CHAT_BROKER=shared.database(database), **more)


@pytest.mark.live
@setting(1)
def test_lists_who_is_there(client: LiveClient) -> None:
    with another(client) as other:
        assert online(client) == {"users": []}
        with (
            client.websocket_connect(room("cy")),
            other.websocket_connect(room('名 "x"')),
            other.websocket_connect(room("ada")),
            client.websocket_connect(room("ada")),
        ):
            for each in (client, other):
                assert online(each) == {"users": ["ada", "cy", '名 "x"']}
        for name in (" ", "You", "x" * 33):
            refused(client, room(name))
        comes_to(client, [], 2)


@pytest.mark.live
@setting(2)
def test_leaving_however_it_happens(client: LiveClient) -> None:
    with another(client) as other, other.websocket_connect(room("ada")):
        for end in ("close", "bytes", "too long", "cut"):
            with client.raw(room("bob")) as bob:
                assert online(other) == {"users": ["ada", "bob"]}
                match end:
                    case "close":
                        bob.write(masked(Opcode.CLOSE, b""))
                    case "bytes":
                        bob.send_bytes(b"bytes")
                    case "too long":
                        bob.send_text("é" * 32_769)
                    case "cut":
                        bob.cut()
            comes_to(other, ["ada"], 2)
            assert online(client) == {"users": ["ada"]}


@pytest.mark.live
@setting(3)
def test_twice_there_once_gone(client: LiveClient) -> None:
    with another(client) as other:
        for second in (client, other):
            with client.websocket_connect(room("ada")):
                with second.websocket_connect(room("ada")):
                    assert online(other) == {"users": ["ada"]}
                with other.websocket_connect(room("bob")):  # by now the leave is known
                    assert online(client) == {"users": ["ada", "bob"]}
                    assert online(other) == {"users": ["ada", "bob"]}
            comes_to(other, [], 2)


def others_are_forgotten(client: LiveClient, other: LiveClient) -> None:
    """The other worker is killed; its users go, in time, and this worker's stay."""
    seconds = float(str(client.server.arguments[2]["PRESENCE_SECONDS"]))
    with client.websocket_connect(room("ada")):
        with (
            other.websocket_connect(room("bob")),
            other.websocket_connect(room("ada")),
        ):
            stay(["ada", "bob"], 1.5 * seconds, client, other)
            other.server.kill()
        comes_to(client, ["ada"], seconds + 0.5)
        stay(["ada"], 1.5 * seconds, client)


@pytest.mark.live
@setting(4, PRESENCE_SECONDS=1.2)
def test_a_killed_worker_is_forgotten(client: LiveClient) -> None:
    with another(client) as other:
        others_are_forgotten(client, other)


SLOW_CLOCK = """
import datetime, time
real = time.time
time.time = lambda: real() - 60
time.time_ns = lambda: int(time.time() * 1e9)
with open({file!r}, encoding="utf-8") as answer:
    exec(compile(answer.read(), {file!r}, "exec"), globals())
"""


@pytest.mark.live
@setting(5, PRESENCE_SECONDS=1)
def test_clocks_may_differ(client: LiveClient, tmp_path: Path) -> None:
    file = client.server.arguments[1]
    late = tmp_path / "exercise.py"
    late.write_text(SLOW_CLOCK.format(file=str(file)), encoding="utf-8")
    with another(client, late) as other:
        others_are_forgotten(client, other)


def answers(client: LiveClient, status: int, within: float) -> None:
    """Wait until /online answers with a status."""
    deadline = time.monotonic() + within
    while (came := client.get("/online", timeout=5).status_code) != status:
        if time.monotonic() > deadline:
            assert came == status
        time.sleep(0.1)
        del client.transcript[-2:]


@pytest.mark.live
@pytest.mark.settings(CHAT_BROKER=mortal.database(0), BROKER_TIMEOUT=0.7)
def test_redis_is_away_for_a_while(client: LiveClient) -> None:
    redis = mortal.get()

    @contextlib.contextmanager
    def away(goes: Callable[[], None], comes: Callable[[], None]) -> Iterator[None]:
        goes()
        try:
            answers(client, 503, 4)
            yield
        finally:
            comes()  # others need it, too
        answers(client, 200, 4)

    with another(client) as other, other.websocket_connect(room("ada")):
        with client.websocket_connect(room("bob")) as bob:
            assert online(other) == {"users": ["ada", "bob"]}
            with away(redis.pause, redis.resume):
                pass
            comes_to(client, ["ada", "bob"], 4)
            with away(redis.kill, redis.start):
                bob.close()
        comes_to(client, ["ada"], 4)


@pytest.mark.live
@setting(6)
def test_redis_forgot_everything(client: LiveClient) -> None:
    with (
        another(client) as other,
        client.websocket_connect(room("ada")),
        other.websocket_connect(room("bob")),
    ):
        assert online(client) == {"users": ["ada", "bob"]}
        shared.get().command("FLUSHALL")
        for each in (client, other):
            comes_to(each, ["ada", "bob"], 4)
