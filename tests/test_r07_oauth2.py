"""Recipe 7: who may open a socket; its exercise is a chat behind a login."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import unquote

import httpx2
import jwt
import pytest
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect
from websockets.frames import Opcode

from recipes.workbench import catalog
from recipes.workbench.judging import Client, LiveClient, closed, masked
from recipes.workbench.servers.server import AppServer, StartError

SECRET = "a secret that only this test knows"
# A form whose password and `next` hold half a character, as no UTF-8 can.
FORM = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}
UTF7 = (
    b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % pair
        for pair in [
            (b"username", b"johndoe"),
            (b"password", b"+2AA-"),
            (b"next", b"/+2AA-"),
        ]
    )
    + b"--x--\r\n"
)
USER = {"username": "johndoe", "password": "secret"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token_of(
    client: Client, username: str = "johndoe", password: str = "secret"
) -> str:
    form = {"username": username, "password": password}
    answer = client.post("/token", data=form)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"
    return str(answer.json()["access_token"])


def ticket_of(client: Client, token: str) -> str:
    return str(client.post("/ticket", headers=bearer(token)).json()["ticket"])


def refusal(
    client: Client, url: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    """The HTTP answer to a handshake that must be refused."""
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(url, headers=dict(headers or {})),
    ):
        pass
    assert isinstance(refused.value, httpx2.Response), "closed, not refused"
    return refused.value


# What all stages have in common


@pytest.mark.parametrize(
    ("stage", "url"),
    [
        pytest.param(stage, url, marks=pytest.mark.module(stage))
        for stage, url in [
            ("step1_insecure", "/secured-ws?username=johndoe"),
            ("step2_fake_token", "/secured-ws"),
            ("main", "/secured-ws"),
        ]
    ],
)
def test_the_conversation(client: Client, stage: str, url: str) -> None:
    headers = {} if stage == "step1_insecure" else bearer(token_of(client))
    with client.websocket_connect(url, headers=headers) as websocket:
        assert websocket.receive_text() == "Welcome johndoe!"
        for text in ("Hello!", "", "名前"):
            websocket.send_text(text)
            assert websocket.receive_text() == f"You wrote: {text}"
        websocket.send_bytes(b"bytes")
        assert websocket.receive() == closed(1003, "Text only")


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(stage, marks=pytest.mark.module(stage))
        for stage in ("step2_fake_token", "main")
    ],
)
def test_wrong_credentials(client: Client, stage: str) -> None:
    wrong = [("johndoe", "secret2"), ("nobody", "secret"), ("JohnDoe", "secret")]
    wrong += [("johndoe", "x" * 100_000), ("a\0b", "\0")]
    for username, password in wrong:
        form = {"username": username, "password": password}
        answer = client.post("/token", data=form)
        assert answer.status_code == 400
        assert answer.json()["detail"] == "Incorrect username or password"
    answer = client.post("/token", content=UTF7, headers=FORM)
    assert answer.status_code == 400


def test_an_unknown_user_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r07_oauth2 import users

    checked = []

    class Counting:
        def verify(self, password: str, hashed: str) -> bool:
            checked.append(hashed)
            return True

    monkeypatch.setattr(users, "password_hash", Counting())
    assert users.verify("johndoe", "secret")
    assert not users.verify("nobody", "secret")
    # One check each, of the same algorithm with the same parameters.
    assert [each.split("$")[:4] for each in checked] == [
        users.NOBODYS.split("$")[:4],
        users.NOBODYS.split("$")[:4],
    ]


@pytest.mark.live
@pytest.mark.module("step1_insecure")
def test_step1_wants_a_name(client: LiveClient) -> None:
    assert refusal(client, "/secured-ws").status_code == 403


@pytest.mark.module("step2_fake_token")
def test_step2_lets_in_who_can_guess(client: Client) -> None:
    assert token_of(client) == "tokenizedjohndoe"
    headers = bearer("tokenizedjanedoe")
    with client.websocket_connect("/secured-ws", headers=headers) as websocket:
        assert websocket.receive_text() == "Welcome janedoe!"


NO_TOKENS = [
    *("", "Bearer", "Bearer ", "Basic x", "Basic am9obmRvZTpzZWNyZXQ="),
    *("johndoe", "Bearer johndoe", "Bearer tokenized", "Bearer tokenizednobody"),
    *("Bearer a b c", "Bearer a.b.c", "Bearer ..", "Bearer, Bearer x"),
]


@pytest.mark.parametrize("header", NO_TOKENS)
@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(stage, marks=pytest.mark.module(stage))
        for stage in ("step2_fake_token", "main")
    ],
)
def test_no_token(client: Client, stage: str, header: str) -> None:
    for headers in ({}, {"Authorization": header}):
        refused = refusal(client, "/secured-ws", headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"


# Stage 3


def test_a_token_opens_http_and_sockets(client: Client) -> None:
    token = token_of(client, "janedoe", "secret2")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "janedoe"
    assert abs(claims["exp"] - claims["iat"] - 1800) < 1
    answer = client.post("/ticket", headers=bearer(token))
    assert answer.status_code == 200
    for headers in ({}, bearer("x"), {"Authorization": token}):
        refused = client.post("/ticket", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    from recipes.r07_oauth2 import tokens

    now = time.time()
    right = {"sub": "johndoe", "aud": tokens.AUDIENCE, "iat": now, "exp": now + 60}
    return {k: v for k, v in (right | changes).items() if v is not None}


def signed(key: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm)


def altered() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{part(claims(sub='janedoe'))}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "another user, signature kept": altered,
    "signature cut off": lambda: signed().rpartition(".")[0] + ".",
    "alg none": lambda: f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims())}.",
    "another key": lambda: signed("another secret, as long as the first"),
    "another algorithm": lambda: signed(SECRET * 2, "HS512"),
    "the same key, another algorithm": lambda: signed(SECRET * 2, "HS384"),
    "expired just now": lambda: signed(exp=time.time() - 0.01),
    "expired long ago": lambda: signed(exp=0),
    "never expires": lambda: signed(exp=None),
    "expires some time": lambda: signed(exp="tomorrow"),
    "not yet valid": lambda: signed(nbf=time.time() + 60),
    "made tomorrow": lambda: signed(iat=time.time() + 86_400),
    "made never": lambda: signed(iat=None),
    "another audience": lambda: signed(aud="somebody else"),
    "no audience": lambda: signed(aud=None),
    "nobody's": lambda: signed(sub=None),
    "a user who is deleted": lambda: signed(sub="formerdoe"),
    "expires never, it says": lambda: signed(exp=float("nan")),
    "expires at the end of time": lambda: signed(exp=float("inf")),
    "expires in a billion years": lambda: signed(exp=3e16),
    "expires in no number's time": lambda: signed(exp=10**400),
    "made at no time": lambda: signed(iat=float("nan")),
    "valid from the end of time": lambda: signed(nbf=float("inf")),
    "several users'": lambda: signed(sub=["johndoe"]),
    "a header of brackets": lambda: f"{part(b'[' * 5_000)}.{part({})}.x",
    "a header of digits": lambda: f"{part(b'9' * 5_000)}.{part({})}.x",
}


@pytest.mark.live
@pytest.mark.settings(JWT_SECRET=SECRET)
@pytest.mark.parametrize("what", FORGED)
def test_forged_tokens(client: LiveClient, what: str) -> None:
    with client.websocket_connect("/secured-ws", headers=bearer(signed())) as right:
        assert right.receive_text() == "Welcome johndoe!"
    refused = refusal(client, "/secured-ws", bearer(FORGED[what]()))
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert client.log == []


@pytest.mark.live
@pytest.mark.settings(TOKEN_SECONDS=1)
def test_a_socket_ends_with_its_token(client: LiveClient) -> None:
    token = token_of(client)
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]
    by_ticket = f"/secured-ws?ticket={ticket_of(client, token)}"
    with (
        client.websocket_connect("/secured-ws", headers=bearer(token)) as one,
        client.websocket_connect(by_ticket) as other,
    ):
        for websocket in (one, other):
            assert websocket.receive_text() == "Welcome johndoe!"
        for websocket in (one, other):
            assert websocket.receive() == closed(1008, "Token expired")
            # A timer's clock may be a little early.
            assert -0.1 < time.time() - expires < 1
    assert refusal(client, "/secured-ws", bearer(token)).status_code == 401
    assert client.post("/ticket", headers=bearer(token)).status_code == 401


@pytest.mark.live
@pytest.mark.settings(TOKEN_SECONDS=1)
def test_a_token_ends_for_a_client_that_does_not_read(client: LiveClient) -> None:
    token = token_of(client)
    with client.raw(f"/secured-ws?ticket={ticket_of(client, token)}", 4096) as peer:
        assert peer.receive_text() == "Welcome johndoe!"
        peer.stall(masked(Opcode.TEXT, b"x" * 500))
        # The handler ends by itself, after the token and the wait for the close.
        assert client.server.handler_ended(peer.peer, 9, client.since)


def test_a_ticket_is_good_once(client: Client) -> None:
    ticket = ticket_of(client, token_of(client))
    url = f"/secured-ws?ticket={ticket}"
    with client.websocket_connect(url) as websocket:
        assert websocket.receive_text() == "Welcome johndoe!"
        for used in (url, "/secured-ws?ticket=", "/secured-ws?ticket=x", f"{url}x"):
            refused = refusal(client, used)
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == "Bearer"
        # A ticket that is no good is not made up for by a token that is.
        headers = bearer(token_of(client))
        assert refusal(client, url, headers).status_code == 401
        websocket.send_text("Still here")
        assert websocket.receive_text() == "You wrote: Still here"


@pytest.mark.live
@pytest.mark.settings(TICKET_SECONDS=0)
def test_a_ticket_that_comes_late(client: LiveClient) -> None:
    ticket = ticket_of(client, token_of(client))
    assert refusal(client, f"/secured-ws?ticket={ticket}").status_code == 401


def test_late_tickets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r07_oauth2 import tickets, tokens

    monkeypatch.setattr(tickets, "_tickets", {})
    monkeypatch.setattr(tickets, "TICKET_SECONDS", 0)
    for _ in range(10):
        tickets.create_ticket(tokens.Session("johndoe", time.time() + 60))
    assert len(tickets._tickets) == 1


def test_of_a_user_the_latest_tickets_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r07_oauth2 import tickets, tokens

    monkeypatch.setattr(tickets, "_tickets", {})
    john, jane = (tokens.Session(n, time.time() + 60) for n in ("johndoe", "janedoe"))
    hers = tickets.create_ticket(jane)
    his = [tickets.create_ticket(john) for _ in range(tickets.MOST_TICKETS + 10)]
    assert [tickets.redeem_ticket(each) for each in his[:10]] == [None] * 10
    assert [tickets.redeem_ticket(each) for each in his[10:]] == [john] * (
        len(his) - 10
    )
    assert tickets.redeem_ticket(hers) == jane


def test_a_ticket_costs_as_much_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand live ones are not walked through: that took 30 ms for each."""
    from recipes.r07_oauth2 import tickets, tokens

    late = time.monotonic() + 60
    nobody = tokens.Session("formerdoe", time.time() + 60)
    crowd = {f"{n}": (nobody, late) for n in range(100_000)}
    monkeypatch.setattr(tickets, "_tickets", crowd)
    before = time.process_time()
    for _ in range(100):
        tickets.create_ticket(tokens.Session("johndoe", time.time() + 60))
    assert time.process_time() - before < 0.5


def test_a_user_who_is_deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r07_oauth2 import tickets, tokens, users

    token = tokens.create_token("janedoe")
    session = tokens.read_token(token)
    assert session is not None
    ticket = tickets.create_ticket(session)
    monkeypatch.delitem(users.USERS, "janedoe")
    assert tokens.read_token(token) is None
    assert tickets.redeem_ticket(ticket) is None


# Guesses


def guess(client: Client, password: str, username: str = "johndoe") -> httpx2.Response:
    form = {"username": username, "password": password}
    return client.post("/token", data=form)


def test_a_token_is_not_kept_on_the_way(client: Client) -> None:
    for password, status in (("secret2", 200), ("not it", 400)):
        answer = guess(client, password, "janedoe")
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["error"] == "invalid_grant"  # RFC 6749 §5.2


@pytest.mark.live
@pytest.mark.settings(LOGIN_TRIES=3, LOGIN_SECONDS=60)
def test_guesses_are_counted(client: LiveClient) -> None:
    """By name and address; also those that come at once."""
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: guess(client, f"{n}"), range(12)))
    assert sorted(a.status_code for a in answers) == [400] * 3 + [429] * 9
    answer = guess(client, "secret")  # right, and not looked at
    assert answer.status_code == 429
    assert 50 < int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["Cache-Control"] == "no-store"
    assert guess(client, "secret2", "janedoe").status_code == 200
    # Nor does anybody lock out the same name elsewhere.
    elsewhere = httpx2.HTTPTransport(local_address="127.0.0.2")
    with httpx2.Client(transport=elsewhere, base_url=client.base_url) as other:
        try:
            answer = other.post("/token", data=USER)
        except httpx2.ConnectError:
            pytest.skip("this system has no second address of its own")
    assert answer.status_code == 200


def test_guesses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.r07_oauth2 import tries

    clock = 1_000.0
    monkeypatch.setattr(tries, "_counts", {})
    monkeypatch.setattr("recipes.r07_oauth2.tries.time.monotonic", lambda: clock)
    for n in range(tries.LOGIN_TRIES):
        clock = 1_000.0 + n
        tries.check(("app", "ada", "here"))
        tries.count(("app", "ada", "here"), 1)
    with pytest.raises(tries.TooManyTries) as refusal:
        tries.check(("app", "ada", "here"))
    left = tries.LOGIN_SECONDS - (tries.LOGIN_TRIES - 1)
    assert refusal.value.headers is not None
    assert refusal.value.headers["Retry-After"] == f"{left:.0f}"
    clock = 1_000.0 + tries.LOGIN_SECONDS
    tries.check(("app", "ada", "here"))
    assert tries._counts == {}


def test_right_passwords_are_not_counted(client: Client) -> None:
    for _ in range(7):
        assert guess(client, "secret2", "janedoe").status_code == 200


@pytest.mark.live
@pytest.mark.slow
def test_many_guesses_leave_room_for_others(client: LiveClient) -> None:
    """A hundred names at once: they took 724 MiB, and an honest login 8.3 s."""
    psutil = pytest.importorskip("psutil")
    server = psutil.Process(client.server._process.pid)
    client.timeout = 20
    token_of(client)
    before, highest = server.memory_info().rss, 0
    with ThreadPoolExecutor(100) as pool:
        guesses = [pool.submit(guess, client, "x", f"guest{n}") for n in range(100)]
        began = time.monotonic()
        honest = pool.submit(token_of, client)
        while not honest.done():
            highest = max(highest, server.memory_info().rss)
            wait([honest], timeout=0.01)
        assert honest.result()
        took = time.monotonic() - began
        assert {each.result().status_code for each in guesses} == {400}
    assert highest - before < 150 * 2**20
    assert took < 15  # some 1 s where nothing else runs


@pytest.mark.parametrize("module", ["main", "exercise"])
def test_only_an_app_ends_the_process(module: str) -> None:
    """A short secret is told in a sentence; to import a helper ends nothing."""
    helpers = "tokens, tickets, chat, users, pages"
    run = python(f"from recipes.r07_oauth2 import {helpers}; print('imported')")
    assert (run.returncode, run.stdout, run.stderr) == (0, "imported\n", "")
    run = python(f"import recipes.r07_oauth2.{module}")
    assert run.returncode == 1
    assert run.stderr == "JWT_SECRET is too short: it must have 32 bytes or more.\n"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=catalog.ROOT,
        env=os.environ | {"JWT_SECRET": "short"},
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_a_client_that_sends_takes_turns() -> None:
    from recipes.r07_oauth2 import conversation

    class Talker:
        """A socket whose next text is always there, a thousand times."""

        left = 1_000

        async def accept(self) -> None:
            pass

        async def send_text(self, text: str) -> None:
            pass

        async def receive(self) -> Message:
            self.left -= 1
            kind = "websocket.receive" if self.left else "websocket.disconnect"
            return {"type": kind, "text": "x"}

    async def scene() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(others())
        await conversation.converse(Talker(), "ada")  # type: ignore[arg-type]
        waiting.cancel()
        return turns

    assert asyncio.run(scene()) >= 999


@pytest.mark.live
def test_nothing_secret_is_logged(client: LiveClient) -> None:
    token = token_of(client)
    ticket = ticket_of(client, token)
    with (
        client.websocket_connect("/secured-ws", headers=bearer(token)),
        client.websocket_connect(f"/secured-ws?ticket={ticket}"),
    ):
        client.post("/token", data={"username": "johndoe", "password": "not mine"})
        refusal(client, "/secured-ws", bearer(token + "x"))
    client.shut_down()
    printed = "".join(client.server.output)
    assert "/secured-ws" in printed
    for secret in ("not mine", token, "Traceback"):
        assert secret not in printed
    # A ticket is in the log, since it is in the address. This one is used up.
    assert ticket in printed


@pytest.mark.live
def test_ends_leave_no_traceback(client: LiveClient) -> None:
    token = token_of(client)

    def enter() -> str:
        return f"/secured-ws?ticket={ticket_of(client, token)}"

    with client.raw(enter()) as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"half a message")[:8])
        peer.cut()
    with client.raw(enter()) as peer:
        peer.receive_text()
        peer.send_bytes(b"bytes")
        peer.cut()
    with client.raw(enter()) as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"\xff"))
        assert peer.receive()["code"] == 1007
    with client.websocket_connect(enter()) as websocket:
        websocket.receive_text()
        websocket.send_text("x" * 17 * 2**20)
        assert websocket.receive()["code"] == 1009
    with client.websocket_connect(enter()) as websocket:
        websocket.receive_text()
        assert client.shut_down()
        assert websocket.receive()["code"] == 1012


def test_a_secret_must_be_long_enough() -> None:
    with pytest.raises(StartError, match="JWT_SECRET is too short: it must have 32"):
        AppServer("recipes.r07_oauth2.main", settings={"JWT_SECRET": "x" * 31})


@pytest.mark.live
@pytest.mark.settings(JWT_SECRET="")
def test_without_a_secret_each_process_has_its_own(client: LiveClient) -> None:
    from recipes.r07_oauth2 import tokens

    token = token_of(client)
    assert tokens.read_token(token) is None
    mine = bearer(tokens.create_token("johndoe"))
    assert refusal(client, "/secured-ws", mine).status_code == 401


def test_random_headers_open_nothing() -> None:
    from recipes.r07_oauth2 import tokens

    pytest.importorskip(
        "hypothesis", reason="random headers are tried with tests/requirements.txt"
    )
    from hypothesis import given, settings
    from hypothesis import strategies as some

    token = tokens.create_token("johndoe")
    word = some.text(some.characters(codec="latin-1"), max_size=60)
    header = some.one_of(
        word,
        word.map("Bearer {}".format),
        some.lists(word, min_size=2, max_size=5).map(".".join).map("Bearer {}".format),
        # Something like the real one, in which a piece is exchanged.
        some.tuples(some.integers(0, len(token) - 1), word).map(
            lambda change: f"Bearer {token[: change[0]]}{change[1]}"
        ),
    )
    loop = asyncio.new_event_loop()

    async def knock(headers: list[str]) -> None:
        for header in headers:
            if header.strip() != f"Bearer {token}":
                answers = await handshake(header)
                assert answers[0]["type"] == "websocket.http.response.start"
                assert answers[0]["status"] == 401

    # Ten at a time, for making them takes longer than trying them.
    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(some.lists(header, min_size=10, max_size=10))
    def knock_ten_times(headers: list[str]) -> None:
        loop.run_until_complete(knock(headers))

    try:
        knock_ten_times()
    finally:
        loop.close()


async def handshake(header: str) -> list[Message]:
    """What the app answers to a handshake with this `Authorization`."""
    from recipes.r07_oauth2 import main

    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {
        "type": "websocket",
        "path": "/secured-ws",
        "headers": [(b"authorization", header.encode("latin-1"))],
        "query_string": b"",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    await main.app(scope, receive, send)
    return answers


# The exercise


def log_in(client: Client, next: str | None = None, **changes: str) -> httpx2.Response:
    form = USER | changes | ({} if next is None else {"next": next})
    client.cookies.clear()
    answer = client.post("/login", data=form, follow_redirects=False)
    client.cookies.clear()
    return answer


def cookie_of(client: Client, **changes: str) -> str:
    """The cookie that a login gives."""
    cookie = log_in(client, **changes).cookies.get("chatroomtoken")
    if not cookie:
        pytest.fail("The login set no cookie `chatroomtoken`.")
    return str(cookie)


def page(client: Client, cookie: str) -> httpx2.Response:
    headers = {"Cookie": f"chatroomtoken={cookie}"}
    return client.get("/chat", headers=headers, follow_redirects=False)


def own_origin(client: Client) -> str:
    return str(client.base_url).rstrip("/")


def visitor(client: Client, cookie: str | None, origin: str = "") -> dict[str, str]:
    """What a browser sends with a handshake."""
    headers = {"Origin": origin or own_origin(client)}
    return headers | ({"Cookie": f"chatroomtoken={cookie}"} if cookie else {})


def test_login(client: Client) -> None:
    answer = log_in(client)
    assert answer.status_code == 303
    assert answer.headers.get("Location") == "/chat"
    value, *attributes = answer.headers.get("Set-Cookie", "").split("; ")
    assert value.startswith("chatroomtoken=")
    attributes = [each.lower() for each in attributes]
    for attribute in ("httponly", "samesite=lax"):
        assert attribute in attributes
    token = value.partition("=")[2].strip('"')
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "johndoe"
    assert claims["exp"] > time.time()


def test_wrong_login(client: Client) -> None:
    wrong = [{"password": "secret2"}, {"username": "nobody"}, {"password": ""}]
    for change in wrong:
        answer = log_in(client, "/chat?room=%C3%A9&x=1", **change)
        assert answer.status_code == 400
        assert "Set-Cookie" not in answer.headers
        assert 'role="alert"' in answer.text
        assert 'value="/chat?room=%C3%A9&amp;x=1"' in answer.text
    assert client.post("/login", content=UTF7, headers=FORM).status_code == 400
    # authenticate() counts: after five the password is not looked at any more.
    guesses = [log_in(client, username="mallory") for _ in range(6)]
    assert [each.status_code for each in guesses] == [400] * 5 + [429]
    assert int(guesses[-1].headers["Retry-After"]) >= 1


def test_chat_page(client: Client) -> None:
    cookie = cookie_of(client, username="janedoe", password="secret2")
    answer = page(client, cookie)
    assert answer.status_code == 200
    assert 'id="ws-id">janedoe<' in answer.text
    head, _, signature = cookie.split(".")
    claims = jwt.decode(cookie, options={"verify_signature": False})
    stolen = f"{head}.{part(claims | {'sub': 'johndoe'})}.{signature}"
    none = f"{part({'alg': 'none'})}.{part(claims)}."
    for bad in ("", "janedoe", "tokenizedjanedoe", stolen, none, cookie[:-1]):
        answer = page(client, bad)
        assert answer.status_code == 303
        assert answer.headers.get("Location") == "/login?next=/chat"
    assert 'value="/chat"' in client.get("/login").text
    # No page may show ours in a frame.
    for answer in (page(client, cookie), client.get("/login")):
        policy = answer.headers.get("Content-Security-Policy", "")
        assert "frame-ancestors 'none'" in policy


def test_socket(client: Client) -> None:
    john = visitor(client, cookie_of(client))
    jane = visitor(client, cookie_of(client, username="janedoe", password="secret2"))
    with client.websocket_connect("/chat/ws", headers=dict(john)) as one:
        with client.websocket_connect("/chat/ws", headers=dict(jane)) as other:
            joined = {"sender": "system", "message": "janedoe joined the chat"}
            assert one.receive_json() == joined
            other.send_text("Hello!")
            assert other.receive_json() == {"sender": "You", "message": "Hello!"}
            assert one.receive_json() == {"sender": "janedoe", "message": "Hello!"}
        left = {"sender": "system", "message": "janedoe left the chat"}
        assert one.receive_json() == left
    for bad in (None, "johndoe", "tokenizedjohndoe", "a.b.c"):
        refused = refusal(client, "/chat/ws", visitor(client, bad))
        assert refused.status_code == 401
        assert "WWW-Authenticate" in refused.headers  # RFC 9110 §11.6.1


@pytest.mark.live
@pytest.mark.settings(TOKEN_SECONDS=1.5)
def test_the_token_expires(client: LiveClient) -> None:
    cookie = cookie_of(client)
    headers = visitor(client, cookie)
    with client.websocket_connect("/chat/ws", headers=headers) as websocket:
        assert page(client, cookie).status_code == 200
        assert websocket.receive() == closed(1008, "Token expired")
    assert page(client, cookie).status_code == 303
    assert refusal(client, "/chat/ws", headers).status_code == 401


def test_foreign_origin(client: Client) -> None:
    cookie = cookie_of(client)
    own = own_origin(client)
    headers = visitor(client, cookie)
    with client.websocket_connect("/chat/ws", headers=dict(headers)) as websocket:
        websocket.send_text("Hello!")
        assert websocket.receive_json()["sender"] == "You"
    foreign = ["http://evil.example", "null", f"{own}.evil.example", f"{own}0"]
    foreign += [own.replace("http", "https"), own.partition("//")[2], f"{own}/"]
    foreign += [own.replace("//", "//evil.example@"), f"http://evil.example?{own}"]
    for origin in foreign:
        headers = visitor(client, cookie, origin)
        assert refusal(client, "/chat/ws", headers).status_code == 403
        # Nor can it log its visitor in as somebody else, or out.
        for form in ("/login", "/logout"):
            answer = client.post(form, data=USER, headers=headers)
            assert answer.status_code == 403
            assert "Set-Cookie" not in answer.headers
    answer = client.post(
        "/login", data=USER, headers={"Origin": own}, follow_redirects=False
    )
    assert "Set-Cookie" in answer.headers
    client.cookies.clear()
    headers = {"Cookie": f"chatroomtoken={cookie}"}
    assert refusal(client, "/chat/ws", headers).status_code == 403
    # The origin is looked at first.
    headers = {"Origin": "http://evil.example"}
    assert refusal(client, "/chat/ws", headers).status_code == 403


@pytest.mark.live
@pytest.mark.settings(ALLOWED_ORIGINS="https://chat.example, https://b.example:8443")
def test_allowed_origins(client: LiveClient) -> None:
    cookie = cookie_of(client)
    for origin in ("https://chat.example", "https://b.example:8443", ""):
        headers = visitor(client, cookie, origin)
        with client.websocket_connect("/chat/ws", headers=headers) as websocket:
            websocket.send_text("Hello!")
            assert websocket.receive_json()["sender"] == "You"
    # A proxy that ends TLS and says so: then our own begins with https.
    secure = own_origin(client).replace("http", "https")
    told = {"X-Forwarded-Proto": "https"}
    headers = visitor(client, cookie, secure) | told
    with client.websocket_connect("/chat/ws", headers=headers) as websocket:
        websocket.send_text("Hello!")
        assert websocket.receive_json()["sender"] == "You"
    headers = {"Origin": secure} | told
    answer = client.post("/login", data=USER, headers=headers, follow_redirects=False)
    assert "Set-Cookie" in answer.headers
    client.cookies.clear()
    foreign = ["https://b.example", "http://chat.example", "https://chat.example:8443"]
    foreign += ["https://chat.example, https://b.example:8443", "null", ","]
    for origin in foreign:
        headers = visitor(client, cookie, origin)
        assert refusal(client, "/chat/ws", headers).status_code == 403


def test_logout(client: Client) -> None:
    client.cookies.clear()
    client.post("/login", data=USER, follow_redirects=False)
    answer = client.post("/logout", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers.get("Location") == "/login"
    deleted = answer.headers.get("Set-Cookie", "").lower()
    assert deleted.startswith(('chatroomtoken="";', "chatroomtoken=;"))
    assert "max-age=0" in deleted or "1970" in deleted
    # A client that keeps cookies, as a browser does, has none any more.
    assert client.get("/chat", follow_redirects=False).status_code == 303
    # A link or a picture on a foreign page cannot log anybody out.
    assert client.get("/logout", follow_redirects=False).status_code == 405
    # The sockets that came in with the cookie end, in all its tabs; no others do.
    mine, other = cookie_of(client), cookie_of(client)
    with (
        client.websocket_connect("/chat/ws", headers=visitor(client, other)) as stays,
        client.websocket_connect("/chat/ws", headers=visitor(client, mine)) as one,
        client.websocket_connect("/chat/ws", headers=visitor(client, mine)) as two,
    ):
        assert one.receive_json()["message"] == "johndoe joined the chat"
        cookies = {"Cookie": f"chatroomtoken={mine}"}
        client.post("/logout", headers=cookies, follow_redirects=False)
        for tab in (one, two):
            while (message := tab.receive())["type"] == "websocket.send":
                pass
            assert message == closed(1008, "Logged out")
        stays.send_text("Still here")
        while (message := stays.receive_json())["sender"] == "system":
            pass
        assert message == {"sender": "You", "message": "Still here"}


ELSEWHERE = [
    *("http://evil.example", "https:evil.example", "//evil.example", "evil.example"),
    *("///evil.example", "////evil.example", "http:///evil.example", "http://["),
    *(
        "javascript:alert(1)",
        "data:text/html,hi",
        "/\\evil.example",
        "\\\\evil.example",
    ),
    *("/\t/evil.example", " //evil.example", "/\n/evil.example", "", "\0"),
]


def test_next_stays_here(client: Client) -> None:
    for target in ("/", "/a//b", "/chat", "/chat?room=1&x=a+b", "/login?next=/chat"):
        assert log_in(client, target).headers.get("Location") == target
    for target in ELSEWHERE:
        answer = log_in(client, target)
        assert answer.status_code == 303
        location = answer.headers.get("Location", "")
        # RedirectResponse has quoted it: some tricks have become paths of this host.
        if unquote(location) != target or leads_away(location):
            assert location == "/chat"


def leads_away(location: str) -> bool:
    """Whether a browser leaves the host for it (https://url.spec.whatwg.org).

    It drops tabs and newlines, takes a backslash for a slash, and a text before a
    colon for a scheme.
    """
    text = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    return re.match(r"//|[a-zA-Z][\w+.-]*:", text) is not None
