"""How a failure is told: small answers, each wrong in its way, judged as all are."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Judging
from recipes.workbench.judging.causes import ACCEPT, NO_ROUTE, cause_of
from recipes.workbench.judging.transcript import Line, Transcript
from recipes.workbench.judging.wording import in_words, two_values
from recipes.workbench.servers import server
from recipes.workbench.servers.starting import JUDGING, warm
from tests.helpers.answers import suite_of

Told = Callable[..., dict[str, str]]
judged = pytest.mark.slow

# What no failure may show: the judge's own machinery.
MACHINERY = [
    *("IndexError", "KeyError: 'code'", "+  where", "+ where", "Traceback"),
    *("WebSocketDisconnect: \n", "AssertionError", "ExceptionInfo", "JSONDecodeError"),
]


@pytest.fixture(scope="module", autouse=True)
def warm_pytest() -> Iterator[None]:
    with warm(JUDGING):
        yield


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """What is told of the tasks that an answer fails, by their names."""

    def judge(recipe: str, source: str, *names: str) -> dict[str, str]:
        answer = tmp_path / recipe / "exercise.py"
        answer.parent.mkdir(exist_ok=True)
        answer.write_text(source, encoding="utf-8")
        suite = suite_of(recipe, set(names), tmp_path) if names else None
        with Judging(recipe, tmp_path, suite=suite) as judging:
            failures = {v.task.name: v.failure for v in judging.verdicts()}
        for failure in failures.values():
            assert [each for each in MACHINERY if each in failure] == [], failure
        return {name: failure for name, failure in failures.items() if failure}

    return judge


def line_of(source: str, part: str) -> int:
    """The number of the one line that holds a part."""
    (number,) = (n for n, text in enumerate(source.splitlines(), 1) if part in text)
    return number


# Recipe 3: it counts, and closes who is idle

COUNTS = """
import asyncio, os, time
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
import logging
app = FastAPI()
logger = logging.getLogger("uvicorn")
IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)
there = set()
@app.get("/connections")
async def connections():
    return {"connected": len(there)}
@app.websocket("/ws")
async def chat(websocket: WebSocket):
    await websocket.accept()
    there.add(websocket)
    try:
        await websocket.send_text("Welcome to the chat room!")
        while True:
            try:
                text = await asyncio.wait_for(websocket.receive_text(), IDLE_TIMEOUT)
            except TimeoutError:
                await websocket.close(1001, "Idle timeout")
                return
            if text == "boom":
                raise RuntimeError("boom")
            if text == "disconnect":
                logger.warning("Disconnecting...")
                await websocket.close()
                return
            await websocket.send_text("Message received!")
    except WebSocketDisconnect:
        pass
    finally:
        there.discard(websocket)
"""


def changed(source: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


@judged
def test_nothing_came(told: Told) -> None:
    """With times, repeats in a line, what was awaited, and what the app waits for."""
    source = changed(COUNTS, ("IDLE_TIMEOUT)\n            ex", "None)\n            ex"))
    failures = told("r03_disconnects", source)
    assert failures.keys() == {"test_idle_client_is_closed"}
    (failure,) = failures.values()
    assert "Run with IDLE_TIMEOUT=0.4" in failure
    assert " × #1 client: text 'still here' → #1 server: text 'Message rec" in failure
    assert failure.count("still here") == 1
    assert "\n  +0.00 s     client: GET /connections\n" in failure
    line = line_of(source, "wait_for")
    assert f"#2 app: the handler waits on line {line}: text = await asyncio" in failure
    assert "Nothing came for 2 s: your app sent no message and no close." in failure
    assert "\nawaited at #2 /ws: {'type': 'websocket.close', 'code': 1001" in failure
    assert "\n  still there: #1 /ws, #2 /ws\n" in failure


@judged
def test_a_swallowed_error(told: Told) -> None:
    source = changed(COUNTS, ('raise RuntimeError("boom")', "return"))
    (failure,) = told("r03_disconnects", source).values()
    assert "#1 app: the handler returned without a close" in failure
    assert "\nreceived: []\nexpected: ['RuntimeError']\n" in failure
    source = changed(COUNTS, ('raise RuntimeError("boom")', "pass"))
    (failure,) = told("r03_disconnects", source).values()
    assert "A message came where the end was expected." in failure


@judged
def test_no_return_after_the_idle_close(told: Told) -> None:
    source = changed(
        COUNTS,
        ('timeout")\n                return', 'timeout")\n                continue'),
    )
    name = "test_idle_client_is_closed"
    (failure,) = told("r03_disconnects", source, name).values()
    line = line_of(source, "wait_for")
    assert f"Your app raised on line {line}: WebSocketDisconnected: " in failure
    assert "\n  text = await asyncio.wait_for(websocket.receive_text()" in failure
    assert ACCEPT not in failure
    assert "Your app had closed the connection and went on" in (cause_of(failure) or "")


@judged
def test_the_judges_own_leaving_is_no_crash(told: Told) -> None:
    source = changed(
        COUNTS,
        ("len(there)", "7"),
        ("except WebSocketDisconnect:", "except ZeroDivisionError:"),
    )
    failures = told("r03_disconnects", source)
    # It fails while the client is there, and what follows is the judge's doing.
    for name in ("test_count_after_cut", "test_count_after_error"):
        assert "received: 7\nexpected: 8" in failures[name]
        assert "Your app raised" not in failures[name]
        assert "Look at that first" not in failures[name]


@judged
def test_a_leaving_that_nobody_catches(told: Told) -> None:
    source = changed(
        COUNTS, ("except WebSocketDisconnect:", "except ZeroDivisionError:")
    )
    failures = told("r03_disconnects", source)
    failure = failures["test_count_after_cut"]
    assert "#1 client: cuts the connection (TCP reset)" in failure
    assert "WebSocketDisconnect: code 1005\n  text = await" in failure
    assert "nothing in your handler catches WebSocketDisconnect" in failure


@judged
def test_who_has_left_and_who_is_still_there(told: Told) -> None:
    source = changed(COUNTS, ("        there.discard(websocket)", "        pass"))
    (failure,) = told(
        "r03_disconnects", source, "test_count_after_client_close"
    ).values()
    assert "\n  #2 client: close 1001\n" in failure
    assert "\n  still there: #1 /ws\n" in failure
    assert "\nreceived: 2\nexpected: 1\n" in failure


@judged
def test_an_unanswered_request(told: Told) -> None:
    source = changed(
        COUNTS, ("    return {", "    await asyncio.sleep(60)\n    return {")
    )
    name = "test_count_after_client_close"
    for failure in told("r03_disconnects", source, name).values():
        assert (
            "   app: the handler waits on line 11: await asyncio.sleep(60)" in failure
        )
        assert "No answer to GET /connections." in failure


@judged
def test_a_loop_that_stands_still(told: Told) -> None:
    """As a remark: it fails nothing by itself."""
    boom = '            if text == "boom"'
    source = changed(
        COUNTS,
        ('"Message received!"', '"received"'),
        (boom, "            time.sleep(0.5)\n" + boom),
    )
    (failure,) = told(
        "r03_disconnects", source, "test_count_after_client_close"
    ).values()
    line = line_of(source, "time.sleep")
    assert "Remark: the event loop stood still for 0." in failure
    assert f" s on line {line}: time.sleep(0.5)" in failure


@judged
def test_a_loop_that_is_held_now(told: Told) -> None:
    boom = '            if text == "boom"'
    source = changed(COUNTS, (boom, "            time.sleep(9)\n" + boom))
    (failure,) = told(
        "r03_disconnects", source, "test_count_after_client_close"
    ).values()
    line = line_of(source, "time.sleep")
    assert f"#1 app: line {line} holds up the event loop: time.sleep(9)" in failure


# Handshakes that are refused

REFUSES = """
from fastapi import FastAPI, WebSocket
app = FastAPI()
@app.websocket("/ws")
async def refuse(websocket: WebSocket):
    if not websocket.headers.get("Authorization"):
        await websocket.close(1008)
        return
    await websocket.accept()
"""


@judged
def test_close_where_a_status_is_wanted(told: Told) -> None:
    (failure,) = told("r04_errors", REFUSES, "test_refuses_strangers").values()
    assert "#2 server: refused with HTTP 403 (no body)" in failure
    assert "\nreceived: 403\nexpected: 401\n" in failure
    assert NO_ROUTE not in failure
    assert "before accept() become HTTP 403" in (cause_of(failure) or "")


@judged
def test_no_route(told: Told) -> None:
    (failure,) = told("r04_errors", REFUSES.replace("/ws", "/sw"), "test_says").values()
    assert f"Hint: {NO_ROUTE} Your app has /sw." in failure


# What HTTP carries


LOGIN = """
from fastapi import FastAPI, Form
from fastapi.responses import RedirectResponse
from typing import Annotated
app = FastAPI()
@app.post("/login")
def login(username: Annotated[str, Form()], next: Annotated[str, Form()] = "/chat"):
    answer = RedirectResponse("/elsewhere", 303)
    answer.set_cookie("chatroomtoken", username + 500 * "x", httponly=True)
    return answer
"""


@judged
def test_what_http_carries(told: Told) -> None:
    failures = told("r07_oauth2", LOGIN)
    failure = failures["test_login"]
    assert "POST /login with form {'username': 'johndoe', 'password':" in failure
    assert "server: HTTP 303, Location: /elsewhere, Set-Cookie: chatroomt" in failure
    assert 100 * "x" not in failure.partition("The test says")[0].partition("y: ")[2]
    assert "\nreceived: '/elsewhere'\nexpected: '/chat'\n" in failure
    assert "HttpOnly; Path=/" in failure
    assert "with Origin 'http://127.0.0.1" in failures["test_foreign_origin"]
    assert "with Cookie chatroomtoken=" in failures["test_chat_page"]


# Several clients


LONELY = """
from fastapi import FastAPI, WebSocket
app = FastAPI()
@app.websocket("/rooms/{room}/{name}")
async def room(websocket: WebSocket, room: str, name: str):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_json({"sender": "You", "message": text})
"""


@judged
def test_the_client_that_waited_is_named(told: Told, tmp_path: Path) -> None:
    told("r05_chat", LONELY, "test_talks_in_a_room")
    command = [sys.executable, "-m", "pytest", str(catalog.tests("r05_chat"))]
    said = subprocess.run(
        [*command, f"--submission={tmp_path}", "-k", "talks or empty_room or nobody"],
        cwd=catalog.ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    ).stdout
    first, others = said.split("the others")
    awaited = "awaited at #1 /rooms/talks/ada: {'sender': 'system', 'message': 'bob jo"
    assert awaited in first
    assert "still there: #1 /rooms/talks/ada, #2 /rooms/talks/bob" in first
    assert "waits on line 7: async for text in websocket.iter_text():" in first
    assert "awaited at #1 /rooms/nobody/ada: " in others


# A set-up that is wrong, and no answer


def test_a_package_that_is_missing() -> None:
    told = server.not_installed("No module named 'jwt.algorithms'")
    assert told.startswith("Your set-up, not your answer: the package jwt is not")
    assert server.not_installed("No module named 'flask'") == ""


def test_a_port_that_cannot_be_reached() -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        raise ConnectionRefusedError
    assert in_words(refused, None, 41234).startswith("Your set-up, not your answer: ")
    assert in_words(refused, None).startswith("Nobody answers any more")


@judged
def test_a_folder_that_is_the_wrong_one(tmp_path: Path) -> None:
    (tmp_path / "r01").mkdir()
    (tmp_path / "r01" / "exercise.py").touch()
    command = [sys.executable, "-m", "pytest", str(catalog.tests("r01_setup"))]
    said = subprocess.run(
        [*command, f"--submission={tmp_path / 'r01'}"],
        cwd=catalog.ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    ).stdout
    assert f"Give the folder above: --submission={tmp_path}\n" in said
    assert "Hint" not in said


# The parts


def transcript(*lines: str) -> list[str]:
    made = Transcript(Line(0, *line.split(" ", 1)) for line in lines)
    return made.told()


def test_what_repeats_is_one_line() -> None:
    assert transcript("a hi", *["a x", "b y"] * 2580, "c z") == [
        "a hi",
        "2,580 × a x → b y",
        "c z",
    ]


def test_what_repeats_with_other_numbers() -> None:
    told = transcript(*(f"a {n} of 1,000" for n in range(1_000)), "b end")
    assert told[0] == "a 0 of 1,000"
    assert "998 × the same with other numbers" in told[1]
    assert told[2:] == ["a 999 of 1,000", "b end"]


def test_a_long_transcript_is_cut() -> None:
    words = "".join(chr(97 + n % 26) + chr(97 + n // 26) for n in range(100))
    told = transcript(*(f"a {words[n : n + 9]}" for n in range(100)))
    assert told[0] == "… 70 lines before"
    assert len(told) == 31


def test_long_values_show_their_difference() -> None:
    left, right = ([*range(1_000)], [*range(500), *range(501, 1_000)])
    received, expected = two_values(left, right)
    assert "499, 500, 501" in received
    assert "499, 501, 502" in expected
    assert max(len(received), len(expected)) < 400


@pytest.mark.parametrize("error", ["ValueError: x", 'RuntimeError: "accept"'])
def test_no_rule_fits(error: str) -> None:
    """Then it is silent, and the task's own hints have the word."""
    assert cause_of(f"\nYour app raised on line 3: {error}\n  go()") is None


def test_accept_is_named_only_where_it_is_missing() -> None:
    crash = '\nYour app raised: RuntimeError: Need to call "accept" first.'
    assert cause_of(crash) == ACCEPT
    assert cause_of("#1 server: accepted" + crash) != ACCEPT


def test_a_refusal_of_the_apps_own_is_not_taken_for_a_close() -> None:
    """HTTPException(403) has a body; close() has none."""
    told = "\nreceived: 403\nexpected: 401"
    own = '#1 server: refused with HTTP 403, {"detail":"Forbidden"}'
    assert cause_of(own + told) is None
    assert "HTTPException(401)" in str(
        cause_of("#1 server: refused with HTTP 403 (no body)" + told)
    )
