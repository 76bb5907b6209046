"""How a failure is told: small answers, each wrong in its way, judged as all are."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import judge_file
from recipes.workbench.judging.causes import ACCEPT, NO_ROUTE, cause_of
from recipes.workbench.judging.transcript import Line, Transcript
from recipes.workbench.judging.wording import in_words, two_values
from recipes.workbench.servers import server
from recipes.workbench.servers.starting import JUDGING, warm

Told = Callable[[str, str], dict[str, str]]
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
    """What is told of each task that an answer fails, by the task's name."""

    def judge(recipe: str, source: str) -> dict[str, str]:
        answer = tmp_path / "exercise.py"
        answer.write_text(source, encoding="utf-8")
        failures = {v.task.name: v.failure for v in judge_file(recipe, answer)}
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
    assert failure.count("still here") == 2  # in the exchange, and in the test's line
    line = line_of(source, "wait_for")
    assert f"#1 app: the handler waits on line {line}: text = await asyncio" in failure
    assert "Nothing came for 2 s: your app sent no message and no close." in failure
    assert "\nawaited at #1 /ws: {'type': 'websocket.close', 'code': 1001" in failure
    assert "\n  still there: #1 /ws\n" in failure
    times = [float(t[1:-4]) for t in failure.split("  ") if t[-2:] == " s" == t[-2:]]
    assert "\n  +0.00 s     client: GET /connections\n" in failure or times


@judged
def test_a_swallowed_error(told: Told) -> None:
    source = changed(COUNTS, ('                raise RuntimeError("boom")', "return"))
    failure = told("r03_disconnects", source.replace("            return\n", ""))
    assert "No error has left the handler.\nexpected: 'RuntimeError'" in "".join(
        failure.values()
    )


@judged
def test_no_return_after_the_idle_close(told: Told) -> None:
    source = changed(
        COUNTS, ('"Idle timeout")\n                return', '"Idle timeout")')
    )
    (failure,) = told("r03_disconnects", source).values()
    assert "Your app raised on line 20: WebSocketDisconnected: " in failure
    assert "\n  text = await asyncio.wait_for(websocket.receive_text()" in failure
    assert ACCEPT not in failure
    assert "Hint: Your app had closed the connection and went on" in failure


@judged
def test_the_judges_own_leaving_is_no_crash(told: Told) -> None:
    source = changed(
        COUNTS,
        ('"Message received!"', '"received"'),
        ("    except WebSocketDisconnect:\n        pass\n", ""),
    )
    failures = told("r03_disconnects", source)
    for name in ("test_count_after_client_close", "test_idle_client_is_closed"):
        assert "raised" not in failures[name]
        assert "Look at that first" not in failures[name]
    # What the test did on purpose is one.
    crash = "Your app raised on line 20: WebSocketDisconnect: code 1005\n  text = await"
    assert crash in failures["test_count_after_cut"]
    assert (
        "#1 client: cuts the connection (TCP reset)" in failures["test_count_after_cut"]
    )


@judged
def test_who_has_left_and_who_is_still_there(told: Told) -> None:
    source = changed(COUNTS, ("        there.discard(websocket)", "        pass"))
    failure = told("r03_disconnects", source)["test_count_after_client_close"]
    assert "\n  #2 client: close 1001\n" in failure
    assert "\n  still there: #1 /ws\n" in failure
    assert "\nreceived: 2\nexpected: 1\n" in failure


@judged
def test_an_unanswered_request(told: Told) -> None:
    source = changed(
        COUNTS, ("    return {", "    await asyncio.sleep(60)\n    return {")
    )
    for failure in told("r03_disconnects", source).values():
        assert (
            "   app: the handler waits on line 11: await asyncio.sleep(60)" in failure
        )
        assert "No answer to GET /connections." in failure


@judged
def test_a_loop_that_stands_still(told: Told) -> None:
    """As a remark: whoever waits for nothing else passes."""
    source = changed(
        COUNTS,
        ('"Message received!"', '"received"'),
        (
            '            if text =="boom"'.replace("==", " == "),
            '            time.sleep(0.5)\n            if text == "boom"',
        ),
    )
    failure = told("r03_disconnects", source)["test_count_after_client_close"]
    line = line_of(source, "time.sleep")
    assert "Remark: the event loop stood still for 0." in failure
    assert f" s on line {line}: time.sleep(0.5)" in failure


@judged
def test_a_loop_that_is_held_now(told: Told) -> None:
    source = changed(
        COUNTS,
        (
            '            if text == "boom"',
            '            time.sleep(9)\n            if text == "boom"',
        ),
    )
    failure = told("r03_disconnects", source)["test_count_after_client_close"]
    line = line_of(source, "time.sleep")
    assert f"#1 app: line {line} holds up the event loop: time.sleep(9)" in failure
