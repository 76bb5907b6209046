"""Recipe 9: an echo behind nginx, and its end; its exercise drains a worker."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from recipes.workbench import catalog
from recipes.workbench.judging import (
    Client,
    LiveClient,
    Session,
    closed,
    masked,
)
from recipes.workbench.servers.server import AppServer
from tests.helpers.nginx import Nginx, free_port

RECIPE = catalog.RECIPES / "r09_production"
MAIN = "recipes.r09_production.main"
# Seconds for what a busy machine may take its time for.
BOUND = 15.0

posix = pytest.mark.skipif(sys.platform == "win32", reason="it needs POSIX signals")


def echo(text: str) -> dict[str, str]:
    return {"type": "echo", "text": text}


def refused(
    client: Client, url: str = "/ws", headers: dict[str, str] | None = None
) -> WebSocketDisconnect:
    """What a handshake that must be refused is answered with."""
    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        client.websocket_connect(url, headers=headers),
    ):
        pass
    return refusal.value


def hello_to(client: Client, headers: dict[str, str] | None = None) -> Any:
    with client.websocket_connect("/ws", headers=headers) as session:
        return session.receive_json()


# The echo


def test_hello_and_echo(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "connections": 0}
    with client.websocket_connect("/ws") as ada:
        hello = ada.receive_json()
        if isinstance(client, LiveClient):
            url = f"ws://127.0.0.1:{client.server.port}/ws"
            assert hello == {"type": "hello", "client": "127.0.0.1", "url": url}
        else:
            url = "ws://testserver/ws"
            assert hello == {"type": "hello", "client": "testclient", "url": url}
        for text in ("Hello!", "", "名前", '{"a": 1}', "é" * 32_768):
            ada.send_text(text)
            assert ada.receive_json() == echo(text)
        with client.websocket_connect("/ws"):
            health = client.get("/healthz")
            assert health.json() == {"status": "ok", "connections": 2}
            assert health.status_code == 200
    assert client.get("/healthz").json() == {"status": "ok", "connections": 0}


def test_a_broken_rule_ends_its_sender_alone(client: Client) -> None:
    with client.websocket_connect("/ws") as ada:
        ada.receive_json()
        for code in (1003, 1009):
            with client.websocket_connect("/ws") as bob:
                bob.receive_json()
                if code == 1003:
                    bob.send_bytes(b"bytes")
                    assert bob.receive() == closed(1003, "Text only")
                else:
                    bob.send_text("é" * 32_769)
                    assert bob.receive()["code"] == 1009
        ada.send_text("still here")
        assert ada.receive_json() == echo("still here")


ORIGINS = {
    "http://{host}": True,
    "HTTP://{host}": True,
    "https://{host}": False,
    "http://evil.example": False,
    "http://evil.example/{host}": False,
    "http://{host}.evil.example": False,
    "http://{host}/": False,
    "http://ada@{host}": False,
    "http://[": False,
    "{host}": False,
    "null": False,
    "": False,
}


def test_origins(client: Client) -> None:
    live = isinstance(client, LiveClient)
    host = f"127.0.0.1:{client.server.port}" if live else "testserver"  # type: ignore[attr-defined]
    for origin, own in ORIGINS.items():
        headers = {"Origin": origin.format(host=host)}
        if own:
            assert hello_to(client, headers)["type"] == "hello"
        elif live:
            refusal = refused(client, headers=headers)
            assert refusal.status_code == 403  # type: ignore[attr-defined]
        else:
            refused(client, headers=headers)


def hello_at(client: LiveClient, host: str, origin: Any, proto: str) -> Any:
    """The address that a client is greeted with; the status if it is refused."""
    line = socket.create_connection(("127.0.0.1", client.server.port), BOUND)
    proxied = {"X-Forwarded-Proto": proto}
    try:
        with connect(
            f"ws://{host}/ws",
            sock=line,
            proxy=None,
            origin=origin,
            additional_headers=proxied,
        ) as other:
            hello = json.loads(other.recv(BOUND))
            port = line.getsockname()[1]
    except InvalidStatus as refusal:
        return refusal.response.status_code
    assert client.server.handler_ended(port, BOUND, client.since)
    return hello["url"]


@pytest.mark.live
def test_the_port_of_a_scheme_may_be_left_out(client: LiveClient) -> None:
    for host, origin, proto in [
        ("a.example", "https://a.example:443", "https"),
        ("a.example:443", "https://a.example", "https"),
        ("a.example", "http://a.example:80", "http"),
        ("a.example:443", "http://a.example:443", "http"),
        ("[::1]", "http://[::1]", "http"),
    ]:
        scheme = {"https": "wss", "http": "ws"}[proto]
        assert hello_at(client, host, origin, proto) == f"{scheme}://{host}/ws"
        assert hello_at(client, host, origin + "0", proto) == 403
    assert hello_at(client, "a.example", "http://a.example:443", "http") == 403


# Behind a proxy


@pytest.mark.live
def test_a_trusted_proxy_says_who_and_how(client: LiveClient) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    hello = hello_to(client, headers)
    assert hello["client"] == "203.0.113.7"
    assert hello["url"] == f"wss://127.0.0.1:{client.server.port}/ws"
    # Of several, the last that is no proxy of ours; any text is taken for one.
    several = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 127.0.0.1"}
    assert hello_to(client, several)["client"] == "203.0.113.7"
    for rubbish in ("no address", "<script>", "x" * 5_000, "\x9b31m"):
        got = hello_to(client, {"X-Forwarded-For": rubbish})["client"]
        assert got == rubbish
    assert hello_to(client, {"X-Forwarded-For": ""})["client"] == "127.0.0.1"


@pytest.mark.live
@pytest.mark.settings(FORWARDED_ALLOW_IPS="10.0.0.1")
def test_anybody_else_does_not(client: LiveClient) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    hello = hello_to(client, headers)
    assert hello["client"] == "127.0.0.1"
    assert hello["url"].startswith("ws://")


@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is only there on Linux")
def test_who_is_trusted_is_an_address(client: LiveClient) -> None:
    address = ("127.0.0.1", client.server.port)
    line = socket.create_connection(address, source_address=("127.0.0.2", 0))
    url = f"ws://127.0.0.1:{client.server.port}/ws"
    forged = {"X-Forwarded-For": "203.0.113.7"}
    with connect(url, sock=line, proxy=None, additional_headers=forged) as other:
        assert json.loads(other.recv(BOUND))["client"] == "127.0.0.2"
        port = line.getsockname()[1]
    assert client.server.handler_ended(port, BOUND, client.since)


# The drain: a server that was drained is spent, so each test has its own


@pytest.fixture
def spent() -> Iterator[Callable[..., LiveClient]]:
    """Starts an app's server for this test, with these settings; a client of it."""
    with contextlib.ExitStack() as stack:

        def start(
            name: str = MAIN, file: Path | None = None, **settings: float
        ) -> LiveClient:
            server = AppServer(name, file, settings)
            stack.callback(server.kill)
            return stack.enter_context(LiveClient(server))

        yield start


def opened(client: LiveClient, stack: contextlib.ExitStack) -> Session:
    """A client that was greeted."""
    session = stack.enter_context(client.websocket_connect("/ws"))
    assert session.receive_json()["type"] == "hello"
    return session


def told(session: Session, spread: float) -> None:
    restart = session.receive_json()
    assert restart.keys() == {"type", "retry_after"}
    assert restart["type"] == "restart"
    assert 0 <= restart["retry_after"] <= spread


def drains(client: LiveClient) -> None:
    """See that nobody is let in any more."""
    assert client.get("/healthz").status_code == 503
    assert client.get("/healthz").json()["status"] == "draining"
    refusal: Any = refused(client)
    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) >= 1


def test_tell_wait_close(spent: Callable[..., LiveClient]) -> None:
    client = spent(DRAIN_SECONDS=1.5, RECONNECT_SECONDS=0.3)
    with contextlib.ExitStack() as stack:
        ada, bob, cut = (opened(client, stack) for _ in range(3))
        client.terminate()
        for each in (ada, bob, cut):
            told(each, 0.3)
        drains(client)
        ada.send_text("one more")
        assert ada.receive_json() == echo("one more")
        cut.close()
        bob.send_text("another")
        assert bob.receive_json() == echo("another")
        for each in (ada, bob):
            assert each.receive() == closed(1012, "Restarting")
    assert client.server.wait(BOUND)
    assert client.crashes == []


def test_it_ends_with_the_last_one(spent: Callable[..., LiveClient]) -> None:
    client = spent(DRAIN_SECONDS=300)
    with contextlib.ExitStack() as stack:
        ada = opened(client, stack)
        client.terminate()
        told(ada, 5)
        ada.close()
    assert client.server.wait(BOUND)
    client = spent(DRAIN_SECONDS=300)
    client.terminate()  # nobody is there
    assert client.server.wait(BOUND)


@pytest.mark.parametrize("again", ["SIGTERM", "Ctrl-C"])
def test_the_second_time_it_ends_at_once(
    spent: Callable[..., LiveClient], again: str
) -> None:
    client = spent(DRAIN_SECONDS=300)
    with contextlib.ExitStack() as stack:
        ada = opened(client, stack)
        client.terminate()
        told(ada, 5)
        if again == "SIGTERM":
            client.terminate()
            assert ada.receive() == closed(1012)
            assert client.server.wait(BOUND)
        else:
            assert client.shut_down()
            assert ada.receive() == closed(1012)
    assert client.crashes == []


def test_who_does_not_read_holds_up_nobody(spent: Callable[..., LiveClient]) -> None:
    client = spent(DRAIN_SECONDS=0.5)
    with (
        client.raw("/ws", window=4096) as deaf,
        contextlib.ExitStack() as stack,
    ):
        deaf.stall(masked(Opcode.TEXT, b"x" * 1_000))
        ada = opened(client, stack)
        client.terminate()
        told(ada, 5)
        ada.send_text("one more")
        assert ada.receive_json() == echo("one more")
        assert ada.receive() == closed(1012, "Restarting")
    # It is gone now, and so is what held up the end.
    assert client.server.wait(BOUND)


# From outside: uvicorn as it is run


@contextlib.contextmanager
def uvicorn(*options: str, **settings: float) -> Iterator[subprocess.Popen[str]]:
    """uvicorn of recipe 9; its log comes through `stderr`, up to SIGKILL."""
    command = [sys.executable, "-m", "uvicorn", f"{MAIN}:app", "--port", "0"]
    given = {name: str(value) for name, value in settings.items()}
    with subprocess.Popen(
        [*command, *options],
        env=os.environ | given | {"PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            if sys.platform != "win32":  # its workers, which hold its log open
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def logged(process: subprocess.Popen[str], wanted: str) -> str:
    """The next line of the log with this in it."""
    assert process.stderr is not None
    for line in process.stderr:
        if wanted in line:
            return line
    raise AssertionError(f"it ended before it logged {wanted!r}")


def where(process: subprocess.Popen[str]) -> str:
    """Where it serves."""
    return logged(process, "running on").split()[4].removeprefix("http://")


def ends(process: subprocess.Popen[str]) -> str:
    """Wait for its end; what it logged until then."""
    _, said = process.communicate(timeout=BOUND)
    assert process.returncode in {0, -signal.SIGTERM}
    return said


@posix
def test_the_end_of_a_process() -> None:
    with uvicorn("--timeout-graceful-shutdown", "1", DRAIN_SECONDS=0.2) as process:
        address = where(process)
        with socket.socket() as deaf, connect(f"ws://{address}/ws", proxy=None) as ada:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", int(address.split(":")[1])))
            stall(deaf)
            ada.recv(BOUND)
            process.send_signal(signal.SIGTERM)
            assert json.loads(ada.recv(BOUND))["type"] == "restart"
            with pytest.raises(ConnectionClosed, match=r"1012.*Restarting"):
                ada.recv(BOUND)
            # The line of who does not read is never closed; and yet:
            assert "timeout graceful shutdown exceeded" in ends(process)


def stall(line: socket.socket) -> None:
    """Open a WebSocket by hand, and send until nobody takes more."""
    line.settimeout(0.5)
    key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    line.sendall(f"GET /ws HTTP/1.1\r\nHost: x\r\n{key}\r\n".encode())
    assert line.recv(12) == b"HTTP/1.1 101"
    with contextlib.suppress(TimeoutError):
        while True:
            line.sendall(100 * masked(Opcode.TEXT, b"x" * 1_000))


@posix
def test_before_it_has_started() -> None:
    with uvicorn(DRAIN_SECONDS=300) as process:
        logged(process, "Started server process")
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in ends(process)


@posix
def test_a_handshake_under_way() -> None:
    with uvicorn(DRAIN_SECONDS=300) as process:
        host, port = where(process).split(":")
        with (
            connect(f"ws://{host}:{port}/ws", proxy=None) as ada,
            socket.create_connection((host, int(port)), BOUND) as line,
        ):
            line.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
            ada.recv(BOUND)
            process.send_signal(signal.SIGTERM)
            assert json.loads(ada.recv(BOUND))["type"] == "restart"
            line.sendall(
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert line.recv(100).startswith(b"HTTP/1.1 503 ")
        assert "Traceback" not in ends(process)


@posix
def test_workers() -> None:
    with uvicorn("--workers", "2", DRAIN_SECONDS=0.5) as process:
        address = where(process)
        for _ in range(2):
            logged(process, "Application startup complete")
        with contextlib.ExitStack() as stack:
            url = f"ws://{address}/ws"
            all = [stack.enter_context(connect(url, proxy=None)) for _ in range(6)]
            for each in all:
                each.recv(BOUND)
            process.send_signal(signal.SIGTERM)  # to the parent alone
            for each in all:
                assert json.loads(each.recv(BOUND))["type"] == "restart"
                with pytest.raises(ConnectionClosed, match=r"1012.*Restarting"):
                    each.recv(BOUND)
        assert "Traceback" not in ends(process)


# The clients


class Scripted:
    """A server that ends each connection in another way, and notes what it answered."""

    def __init__(self) -> None:
        self.turn = 0
        self.answered: list[str] = []

    def before(self, line: ServerConnection, request: Request) -> Response | None:
        self.turn += 1
        if self.turn == 3:
            refusal = line.respond(503, "draining")
            refusal.headers["Retry-After"] = "0"
            return refusal
        return None

    async def __call__(self, line: ServerConnection) -> None:
        await line.send(json.dumps({"type": "hello", "client": "", "url": ""}))
        turn = self.turn
        for n in range(1000):
            try:
                text = str(await line.recv())
            except ConnectionClosed:
                return
            if n == 2 and turn == 1:
                await line.send(json.dumps({"type": "restart", "retry_after": 0.0}))
            if n == 2 and turn == 2:
                await line.close(1012, "Restarting")
                return
            if n == 2 and turn == 4:
                line.transport.abort()
                return
            await line.send(json.dumps(echo(text)))
            self.answered.append(text)


def test_the_client_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_client = catalog.load("recipes.r09_production.client")
    monkeypatch.setattr(own_client, "PACE", 0)

    async def against(server: Scripted) -> None:
        async with serve(server, "127.0.0.1", 0, process_request=server.before) as it:
            port = next(iter(it.sockets)).getsockname()[1]
            async with asyncio.timeout(BOUND):
                await own_client.main(f"127.0.0.1:{port}")

    server = Scripted()
    asyncio.run(against(server))
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "100 of 100 answered, over 4 connections"
    assert said[:-1] == [
        "told to come back",
        "closed with 1012",
        "refused with HTTP 503",
        "closed with 1006",
    ]
    assert server.answered == [f"{n}" for n in range(100)]


@pytest.mark.parametrize("name", ["client", "demo_forgetful"])
def test_nobody_is_there(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"recipes.r09_production.{name}", "127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=BOUND,
    )
    assert done.returncode == 1
    assert "Is this recipe's server running?" in done.stderr
    assert "Traceback" not in done.stderr


# nginx


@contextlib.contextmanager
def behind(
    name: str, here: int, there: int | None = None, **options: Any
) -> Iterator[Nginx]:
    """nginx with one of the recipe's files, before servers at these ports."""
    ports = {8000: free_port(), 8001: here, 8002: there or free_port()}
    with Nginx(RECIPE / name, ports, 8000, **options) as nginx:
        yield nginx


def through(nginx: Nginx, **options: Any) -> ClientConnection:
    url = f"ws://127.0.0.1:{nginx.port}/ws"
    opened: ClientConnection = connect(url, proxy=None, **options)
    return opened


@pytest.mark.live
def test_nginx(client: LiveClient, spent: Callable[..., LiveClient]) -> None:
    other = spent(DRAIN_SECONDS=300)
    with (
        behind("nginx.conf", client.server.port, other.server.port) as nginx,
        contextlib.ExitStack() as stack,
    ):
        forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
        origin: Any = f"http://127.0.0.1:{nginx.port}"
        with through(nginx, additional_headers=forged, origin=origin) as ada:
            hello = json.loads(ada.recv(BOUND))
        url = f"ws://127.0.0.1:{nginx.port}/ws"
        assert hello == {"type": "hello", "client": "127.0.0.1", "url": url}
        # One of the two drains: nobody is refused, and all come to the other one.
        guest = opened(other, stack)
        other.terminate()
        told(guest, 5)
        for n in range(1, 5):
            stack.enter_context(through(nginx))
            assert client.get("/healthz").json()["connections"] == n
        health = httpx2.get(f"http://127.0.0.1:{nginx.port}/healthz", trust_env=False)
        assert health.json()["status"] == "ok"


@pytest.mark.live
def test_nginx_with_tls(client: LiveClient, tmp_path: Path) -> None:
    trustme = pytest.importorskip(
        "trustme", reason="TLS is tested with tests/requirements.txt installed"
    )
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    pem, key = tmp_path / "server.pem", tmp_path / "server.key"
    pem.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with behind("nginx_tls.conf", client.server.port, beside=[pem, key]) as nginx:
        url = f"wss://127.0.0.1:{nginx.port}/ws"

        def enter(origin: str) -> ClientConnection:
            opened: ClientConnection = connect(
                url, proxy=None, ssl=trusting, origin=Origin(origin)
            )
            return opened

        with enter(f"https://127.0.0.1:{nginx.port}") as ada:
            hello = json.loads(ada.recv(BOUND))
        assert hello == {"type": "hello", "client": "127.0.0.1", "url": url}
        with pytest.raises(InvalidStatus, match="403"):
            enter(f"http://127.0.0.1:{nginx.port}")


@pytest.mark.live
def test_nginx_that_loses_the_upgrade(client: LiveClient) -> None:
    with (
        behind("nginx_broken_upgrade.conf", client.server.port) as nginx,
        pytest.raises(InvalidStatus) as refusal,
    ):
        through(nginx)
    assert refusal.value.response.status_code == 404
    assert refusal.value.response.body == b'{"detail":"Not Found"}'


@pytest.mark.live
def test_nginx_that_cuts_silence(client: LiveClient) -> None:
    with behind("nginx_broken_timeout.conf", client.server.port) as nginx:
        with through(nginx) as ada:
            ada.recv(BOUND)
            with pytest.raises(ConnectionClosed) as cut:
                ada.recv(BOUND)
        assert cut.value.rcvd is None
        assert "upstream timed out" in nginx.log.read_text()


@posix
def test_pings_keep_the_line() -> None:
    with uvicorn("--ws-ping-interval", "0.5") as process:
        port = int(where(process).split(":")[1])
        with behind("nginx_broken_timeout.conf", port) as nginx, through(nginx) as ada:
            ada.recv(BOUND)
            with pytest.raises(TimeoutError):
                ada.recv(3)  # longer than nginx waits
            ada.send("still here")
            assert json.loads(ada.recv(BOUND)) == echo("still here")


# What runs it: read as text, since there is no docker here


def option(command: list[str], name: str) -> float:
    return float(command[command.index(name) + 1])


def the_sum(command: list[str], drain: str) -> float:
    return float(drain) + 1 + option(command, "--timeout-graceful-shutdown")


def test_dockerfile_and_compose() -> None:
    text = (RECIPE / "Dockerfile").read_text(encoding="utf-8")
    command = json.loads(text.partition("\nCMD ")[2])
    assert command[:2] == ["uvicorn", f"{MAIN}:app"]
    assert command[command.index("--host") + 1] == "0.0.0.0"
    assert re.search(r"^USER (?!root|0\b)", text, re.MULTILINE)
    compose = (RECIPE / "compose.yaml").read_text(encoding="utf-8")
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", compose)
    (drain,) = re.findall(r"DRAIN_SECONDS: (\d+)", compose)
    assert the_sum(command, drain) < float(grace)
    (trusted,) = re.findall(r"FORWARDED_ALLOW_IPS: (\S+)", compose)
    assert compose.count(trusted) == 2  # nginx's own address
    given = (RECIPE / "nginx.conf").read_text(encoding="utf-8")
    for old in re.findall(r"-e 's/(\S+?)/", compose):
        assert len(re.findall(re.escape(old), given)) == 1


def test_service(tmp_path: Path) -> None:
    text = (RECIPE / "echo.service").read_text(encoding="utf-8")
    command = shlex.split(re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)[0])
    (bound,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    (drain,) = re.findall(r"DRAIN_SECONDS=(\d+)", text)
    assert the_sum(command, drain) < float(bound)
    assert command[1] == f"{MAIN}:app"
    # systemd itself says more, where it is; it wants a program that is there.
    if verify := shutil.which("systemd-analyze"):
        there = tmp_path / "echo.service"
        here = text.replace(command[0], f'"{sys.executable}"')
        there.write_text(here, encoding="utf-8")
        asked = [verify, "verify", str(there)]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=BOUND)
        assert (done.returncode, done.stderr) == (0, "")


# The exercise: each drain on a server of its own, since that is spent afterwards


def own(spread: float, **settings: float) -> pytest.MarkDecorator:
    """Settings that no other task has, and so a server that no other task has."""
    return pytest.mark.settings(RECONNECT_SECONDS=spread, **settings)


def done(text: str) -> dict[str, str]:
    return {"type": "done", "text": text}


def begins_to_drain(client: LiveClient) -> None:
    answer = client.post("/drain")
    assert (answer.status_code, answer.json()) == (202, {"status": "draining"})


def health_of(client: Client) -> Any:
    """What /healthz answers, when it may be asked by what watches over servers."""
    answer = client.get("/healthz")
    health = answer.json()
    assert answer.status_code in {200, 503}
    assert (answer.status_code, health["status"]) in {(200, "ok"), (503, "draining")}
    return health


@pytest.mark.live
@pytest.mark.settings(WORK_SECONDS=0)
def test_healthz_counts(client: LiveClient) -> None:
    assert health_of(client) == {"status": "ok", "connections": 0}
    for end in ("close", "bytes", "cut"):
        with client.raw("/ws") as ada, client.raw("/ws") as bob:
            for each in (ada, bob):
                each.send_text("a job")
                assert each.receive_json() == done("a job")
            assert health_of(client) == {"status": "ok", "connections": 2}
            match end:
                case "close":
                    bob.write(masked(Opcode.CLOSE, b""))
                case "bytes":
                    bob.send_bytes(b"bytes")
                    assert bob.receive() == closed(1003, "Text only")
                case "cut":
                    bob.cut()
        assert health_of(client) == {"status": "ok", "connections": 0}


@pytest.mark.live
@own(1, WORK_SECONDS=1)
def test_drain_is_answered_at_once(client: LiveClient) -> None:
    with client.websocket_connect("/ws") as busy:
        busy.send_text("a job")
        assert health_of(client)["connections"] == 1
        for _ in range(2):
            begins_to_drain(client)
            # The job is not done, and so the answer has not waited for it.
            assert health_of(client) == {"status": "draining", "connections": 1}
        told(busy, 1)
        # Told once, however often it was asked for.
        assert busy.receive_json() == done("a job")
        assert busy.receive() == closed(1012, "Restarting")
    begins_to_drain(client)
    assert health_of(client) == {"status": "draining", "connections": 0}


@pytest.mark.live
@own(2)
def test_nobody_is_let_in(client: LiveClient) -> None:
    with client.websocket_connect("/ws"):
        pass
    begins_to_drain(client)
    for _ in range(2):
        refusal: Any = refused(client)
        assert refusal.status_code == 503
        assert re.fullmatch("[1-9][0-9]*", refusal.headers.get("Retry-After", "none"))


@pytest.mark.live
@own(3, WORK_SECONDS=1)
def test_everybody_is_told(client: LiveClient) -> None:
    with contextlib.ExitStack() as stack:
        everybody = [
            stack.enter_context(client.websocket_connect("/ws")) for _ in range(8)
        ]
        for busy in everybody[:3]:
            busy.send_text("a job")
        begins_to_drain(client)
        seconds = []
        for each in everybody:  # also who is busy, before the job is done
            restart = each.receive_json()
            assert restart.keys() == {"type", "retry_after"}
            assert restart["type"] == "restart"
            assert 0 <= restart["retry_after"] <= 3
            seconds.append(restart["retry_after"])
        assert len(set(seconds)) > 1  # drawn for each


@pytest.mark.live
@own(4, WORK_SECONDS=0.8)
def test_idle_at_once_and_busy_when_done(client: LiveClient) -> None:
    with (
        client.websocket_connect("/ws") as busy,
        client.websocket_connect("/ws") as idle,
        client.websocket_connect("/ws") as was_busy,
    ):
        was_busy.send_text("an old job")
        assert was_busy.receive_json() == done("an old job")
        for n in range(3):
            busy.send_text(f"job {n}")
        begins_to_drain(client)
        for each in (idle, was_busy):
            told(each, 4)
            assert each.receive() == closed(1012, "Restarting")
        told(busy, 4)
        assert health_of(client)["connections"] == 1
        assert busy.receive_json() == done("job 0")
        assert busy.receive() == closed(1012, "Restarting")
    assert health_of(client)["connections"] == 0


@pytest.mark.live
@own(5, WORK_SECONDS=10, DRAIN_SECONDS=0.7)
def test_whoever_is_left(client: LiveClient) -> None:
    with client.websocket_connect("/ws") as busy:
        busy.send_text("a long job")
        begins_to_drain(client)
        told(busy, 5)
        begins_to_drain(client)
        assert health_of(client)["connections"] == 1
        assert busy.receive() == closed(1012, "Restarting")


@pytest.mark.live
@own(6, WORK_SECONDS=0, DRAIN_SECONDS=0.7)
def test_who_does_not_read(client: LiveClient) -> None:
    with client.raw("/ws", window=4096) as deaf:
        deaf.stall(masked(Opcode.TEXT, b"x" * 1_000))
        with contextlib.ExitStack() as stack:
            others = [
                stack.enter_context(client.websocket_connect("/ws")) for _ in range(5)
            ]
            begins_to_drain(client)
            for each in others:
                told(each, 6)
            for each in others:
                assert each.receive() == closed(1012, "Restarting")


@pytest.mark.live
@pytest.mark.settings(WORK_SECONDS=0, MAX_PER_ADDRESS=2)
def test_sockets_of_an_address(client: LiveClient) -> None:
    def enter(stack: contextlib.ExitStack, address: str) -> Session:
        headers = {"X-Forwarded-For": address}
        return stack.enter_context(client.websocket_connect("/ws", headers=headers))

    def is_full(address: str) -> None:
        refusal: Any = refused(client, headers={"X-Forwarded-For": address})
        assert refusal.status_code == 429

    with contextlib.ExitStack() as stack:
        first, second = enter(stack, "203.0.113.1"), enter(stack, "203.0.113.1")
        for _ in range(3):
            is_full("203.0.113.1")
            # What a client claims itself stands before what the proxy adds.
            is_full("6.6.6.6, 203.0.113.1")
        for address in ("203.0.113.2", "2001:db8::1"):
            enter(stack, address).send_text("another address")
        # Each end gives its place back, and those who were refused had none.
        first.send_text("bye")
        assert first.receive_json() == done("bye")
        second.send_bytes(b"bytes")
        assert second.receive() == closed(1003, "Text only")
        again = enter(stack, "203.0.113.1")
        is_full("203.0.113.1")
        first.close()
        enter(stack, "203.0.113.1")
        again.send_text("still here")
        assert again.receive_json() == done("still here")
        is_full("203.0.113.1")
    for end in ("cut", "is gone", "close"):
        with client.raw("/ws") as one, client.raw("/ws") as other:
            assert refused(client).status_code == 429  # type: ignore[attr-defined]
            match end:
                case "cut":
                    one.cut()
                case "close":
                    other.write(masked(Opcode.CLOSE, b""))


@pytest.mark.live
@own(7, WORK_SECONDS=1)
def test_sigterm(client: LiveClient) -> None:
    with (
        client.websocket_connect("/ws") as busy,
        client.websocket_connect("/ws") as idle,
    ):
        busy.send_text("a job")
        busy.send_text("another")
        assert health_of(client)["connections"] == 2
        client.terminate()
        told(idle, 7)
        assert idle.receive() == closed(1012, "Restarting")
        told(busy, 7)
        assert refused(client).status_code == 503  # type: ignore[attr-defined]
        assert busy.receive_json() == done("a job")
        assert busy.receive() == closed(1012, "Restarting")
    assert client.server.wait(5)
