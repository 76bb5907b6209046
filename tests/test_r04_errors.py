"""Recipe 4: refusals, close codes and wrong messages; its exercise validates."""

import socket

import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.frames import Opcode

from recipes.workbench.judging import Client, LiveClient, closed, masked

BY_CLIENT = ("WARNING", "Connection closed by the client")
KNOWN = {"Authorization": "Bearer me"}

# Texts that no `Say` is made of.
WRONG = [
    "",
    "no json",
    "[]",
    "null",
    '{"type": "say"}',
    '{"type": "say", "text": ""}',
    '{"type": "say", "text": 5}',
    '{"type": "shout", "text": "hi"}',
    '{"type": "say", "text": "hi", "room": "1"}',
    '{"type": "say", "text": "%s"}' % ("x" * 281),
    '{"type": "say", "text": "\\ud800"}',
    '{"type": "say", "text": %s}' % ("[" * 60_000),
    '{"type": "say", "text": "hi", "%s": 1}' % ("k" * 500_000),
    '{"type": "say", "text": "hi"' + "".join(f', "{n}": 1' for n in range(5_000)) + "}",
    '{"type": "say", "text": "%s"}' % ("x" * 2 * 2**20),
]


def test_talks(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        for text in ("Hello!", *WRONG):
            websocket.send_text(text)
            assert websocket.receive_text() == "Message received!"
    assert client.log[0] == ("INFO", "Message received: Hello!")
    assert client.log[-1] == BY_CLIENT


def test_disconnect_has_a_reason(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("disconnect")
        websocket.send_text("a second message")
        assert websocket.receive() == closed(1000, "Disconnecting...")
    assert client.log[-1] == ("WARNING", "Disconnecting...")


def test_bad_message(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("this is a bad message!")
        assert websocket.receive() == closed(1008, "Inappropriate message")
    assert client.log == [("INFO", "Message received: this is a bad message!")]


@pytest.mark.parametrize("data", [b"", b"\x00\xff"])
def test_binary_frame(client: Client, data: bytes) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_bytes(data)
        assert websocket.receive() == closed(1003, "Text only")
    assert client.log == []


@pytest.mark.live
@pytest.mark.parametrize(
    "last", [b"", masked(Opcode.TEXT, b"\xff")], ids=["nothing", "invalid UTF-8"]
)
def test_bad_message_of_a_client_that_is_gone(client: LiveClient, last: bytes) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"a bad message") + last)
        peer.cut()


@pytest.mark.live
def test_ends_leave_no_traceback(client: LiveClient) -> None:
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"half")[:7])
        peer.cut()
    with client.raw("/ws") as peer:
        peer.receive_text()
        peer.write(masked(Opcode.TEXT, b"\xff"))
        assert peer.receive()["code"] == 1007
    assert client.log == [BY_CLIENT, BY_CLIENT]
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        assert client.shut_down()
        assert websocket.receive()["code"] == 1012


@pytest.mark.live
def test_too_long_a_text(client: LiveClient) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.receive_text()
        websocket.send_text("x" * 17 * 2**20)
        assert websocket.receive()["code"] == 1009
    assert client.log == [("WARNING", "Connection closed by the server")]


# Refusing a handshake


@pytest.mark.live
@pytest.mark.parametrize("line", ["Authorization", "Authorization : me", "A: \0"])
def test_malformed_header(client: LiveClient, line: str) -> None:
    handshake = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{line}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    port = client.server.port
    with socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
        peer.sendall(handshake.encode())
        assert peer.recv(1_000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.module("step1_close_codes")
@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}])
def test_step1_refuses(client: Client, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/ws", headers=dict(headers)),
    ):
        pass


@pytest.mark.live
@pytest.mark.module("step1_close_codes")
def test_step1_refuses_with_403(client: LiveClient) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/ws"):
        pass
    assert refused.value.status_code == 403  # type: ignore[attr-defined]


@pytest.mark.module("step1_close_codes")
def test_step1_talks_to_whom_it_knows(client: Client) -> None:
    with client.websocket_connect("/ws", headers=dict(KNOWN)) as websocket:
        assert websocket.receive_text() == "Welcome to the chat room!"
        websocket.send_text("disconnect")
        assert websocket.receive() == closed(1000, "Disconnecting...")


# The numbers of HTTP


@pytest.mark.live
@pytest.mark.module("demo_http_codes")
@pytest.mark.parametrize(("path", "code"), [("http", 401), ("exception", 403)])
def test_401_before_accept(client: LiveClient, path: str, code: int) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(f"/{path}-before"),
    ):
        pass
    assert refused.value.status_code == code  # type: ignore[attr-defined]


@pytest.mark.live
@pytest.mark.module("demo_http_codes")
@pytest.mark.parametrize(
    ("path", "crash"), [("http", "RuntimeError"), ("exception", "ProtocolError")]
)
def test_401_after_accept(client: LiveClient, path: str, crash: str) -> None:
    with client.websocket_connect(f"/{path}-after") as websocket:
        assert websocket.receive() == closed(1006)
    assert crash in client.crashes.pop().kind


# Beside the way


@pytest.mark.module("dependencies")
def test_parameters_of_a_socket(client: Client) -> None:
    headers = {"User-Agent": "suite/1.0", "Cookie": "theme=dark"}
    with client.websocket_connect("/rooms/tea?since=3", headers=headers) as websocket:
        assert websocket.receive_json() == ["tea", 3, "suite", "dark"]
        # It is held for as long as the connection lasts.
        assert client.log == [("INFO", "Session opened")]
    assert client.log[-1] == ("INFO", "Session given back")


@pytest.mark.live
@pytest.mark.module("dependencies")
@pytest.mark.parametrize(
    ("path", "status"), [("/rooms/tea?since=x", 403), ("/private", 401)]
)
def test_dependencies_refuse(client: LiveClient, path: str, status: int) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(path):
        pass
    assert refused.value.status_code == status  # type: ignore[attr-defined]


@pytest.mark.module("dependencies")
def test_http_bearer_takes_sockets(client: Client) -> None:
    with client.websocket_connect("/private", headers=dict(KNOWN)) as websocket:
        assert websocket.receive_text() == "Your token is me"
        assert websocket.receive() == closed(1000)


@pytest.mark.module("messages")
def test_several_types_of_message(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_json({"type": "say", "text": "hi"})
        assert websocket.receive_json() == {"type": "said", "text": "hi"}
        websocket.send_json({"type": "move", "x": 1, "y": 2})
        assert websocket.receive_json() == {"type": "moved", "x": 1, "y": 2}
        for text in (*WRONG[:6], '{"type": "fly"}', *WRONG[9:12]):
            websocket.send_text(text)
            answer = websocket.receive_json()
            assert answer["type"] == "error"
            assert 1 <= len(answer["detail"]) <= 200
        websocket.send_bytes(b"")
        assert websocket.receive() == closed(1003, "Text only")


@pytest.mark.module("questions")
def test_several_questions_on_their_way(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_json({"id": 1, "divide": 6, "by": 2, "seconds": 0.1})
        websocket.send_json({"id": 2, "divide": 1, "by": 0})
        websocket.send_text("What is six by two?")
        websocket.send_text('{"id": 3, "divide": NaN, "by": 1}')
        came = [websocket.receive_json() for _ in range(4)]
        assert {"id": 1, "result": 3.0} in came
        assert {"id": 2, "error": "Division by zero"} in came
        assert came.count({"error": "Not a question"}) == 2
        # More than may be on their way wait; none is lost.
        for n in range(30):
            websocket.send_json({"id": n, "divide": n, "by": 1, "seconds": 0.01})
        numbers = [websocket.receive_json()["id"] for _ in range(30)]
        assert sorted(numbers) == list(range(30))
        # Who leaves meanwhile leaves nothing behind: the handler ends.
        websocket.send_json({"id": 1, "divide": 6, "by": 2, "seconds": 1})
        websocket.send_bytes(b"")
        assert websocket.receive() == closed(1003, "Text only")


@pytest.mark.module("limits")
@pytest.mark.settings(PATIENCE=0.2)
@pytest.mark.parametrize("first", ["wrong", None])
def test_a_token_first(client: Client, first: str | None) -> None:
    with client.websocket_connect("/ws") as websocket:
        if first is not None:
            websocket.send_text(first)
        assert websocket.receive() == closed(4401, "No valid token")


@pytest.mark.module("limits")
def test_too_many_messages(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_text("open sesame")
        for _ in range(200):
            websocket.send_text("Hello!")
        came = [websocket.receive() for _ in range(10)]
        assert [message.get("text") for message in came] == 10 * ["Message received!"]
        while (message := websocket.receive())["type"] == "websocket.send":
            assert message["text"] == "Message received!"
        assert message == closed(1008, "Too many messages")


@pytest.mark.live
@pytest.mark.module("limits")
@pytest.mark.settings(MOST_SOCKETS=1)
def test_too_many_sockets(client: LiveClient) -> None:
    for _ in range(2):
        with client.websocket_connect("/ws") as first:
            with (
                pytest.raises(WebSocketDisconnect) as refused,
                client.websocket_connect("/ws"),
            ):
                pass
            assert refused.value.status_code == 503  # type: ignore[attr-defined]
            first.send_text("open sesame")
            first.send_text("Hello!")
            assert first.receive_text() == "Message received!"


@pytest.mark.live
@pytest.mark.module("demo_unseen")
@pytest.mark.crash_ok("ValueError")  # the route's, which uvicorn logs as well
def test_http_middleware_and_handlers_see_no_sockets(client: LiveClient) -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive() == closed(1006)
    assert client.crashes.pop().kind == "ValueError"
    assert client.log == []
    assert client.get("/fail").status_code == 500
    # It is logged when the answer is on its way already.
    client.server.wait_for(lambda report: "handler saw" in str(report), 5)
    assert [text for _, text in client.log] == [
        "The middleware saw /fail",
        "The exception handler saw ValueError('of the route')",
    ]


@pytest.mark.crash_ok("ValueError")  # it is logged, with its traceback
@pytest.mark.module("last_resort")
def test_a_last_resort_closes_with_1011(client: Client) -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive() == closed(1011, "Internal error")
    [(level, text)] = client.log
    assert level == "ERROR"
    assert text.startswith("The handler of /ws failed")


# The exercise


@pytest.mark.live
def test_refuses_strangers(client: LiveClient) -> None:
    with client.websocket_connect("/ws", headers=KNOWN) as websocket:
        assert websocket.accepted_subprotocol is None
    for headers in ({}, {"Authorization": ""}, {"Authorization": "  "}):
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("/ws", headers=headers),
        ):
            pass
        assert refused.value.status_code == 401  # type: ignore[attr-defined]
        assert refused.value.headers.get("WWW-Authenticate")  # type: ignore[attr-defined]


def test_says(client: Client) -> None:
    with client.websocket_connect("/ws", headers=dict(KNOWN)) as websocket:
        for text in ("h", "x" * 280, "名" * 280, " padded ", '"quoted"\n'):
            websocket.send_json({"type": "say", "text": text})
            assert websocket.receive_json() == {"type": "said", "text": text}


def test_answers_mistakes(client: Client) -> None:
    with client.websocket_connect("/ws", headers=dict(KNOWN)) as websocket:
        for text in WRONG:
            websocket.send_text(text)
            answer = websocket.receive_json()
            assert answer["type"] == "error"
            assert isinstance(answer["detail"], str)
            assert 1 <= len(answer["detail"]) <= 200
            websocket.send_json({"type": "say", "text": "hi"})
            websocket.receive_json()


def test_third_mistake_in_a_row(client: Client) -> None:
    with (
        client.websocket_connect("/ws", headers=dict(KNOWN)) as first,
        client.websocket_connect("/ws", headers=dict(KNOWN)) as second,
    ):
        for text in ("no", "[]", '{"type": "say", "text": "hi"}', "no", "{}"):
            first.send_text(text)
            first.receive_json()
        for text in ("no", '{"type": "say"}'):
            second.send_text(text)
            second.receive_json()
        for websocket in (first, second):
            websocket.send_text("no")
            assert websocket.receive() == closed(1008, "Too many invalid messages")


def test_binary_frame_is_refused(client: Client) -> None:
    with client.websocket_connect("/ws", headers=dict(KNOWN)) as websocket:
        websocket.send_bytes(b"{}")
        assert websocket.receive() == closed(1003, "Text only")
