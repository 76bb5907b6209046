"""How a failed task is told: the exchange, the difference, the crash, a hint."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.websockets import WebSocketDisconnect

from recipes.workbench.judging.fixtures import BROKEN, crashes_of, values_of
from recipes.workbench.judging.live import LiveClient
from recipes.workbench.judging.session import Client, NothingCame
from recipes.workbench.judging.targets import judging, recipe_of, task_of, tasks_of
from recipes.workbench.servers.server import in_a_line

# Characters of a value in a failure.
LONGEST = 2_000


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """What came and what was expected, one below the other."""
    if op != "==":
        return None
    received, expected = repr(left), repr(right)
    if max(len(received), len(expected)) < LONGEST:
        return [f"received: {received}", f"expected: {expected}"]
    # Raised, not returned: pytest would still make a diff of its own, and take minutes
    # for some that are long.
    raise AssertionError(
        f"received: {shortened(received)}\nexpected: {shortened(expected)}"
    )


def shortened(text: str) -> str:
    """A long text from where its difference is likely to be seen: both its ends."""
    half = LONGEST // 2
    left_out = len(text) - LONGEST
    if left_out <= 0:
        return text
    return f"{text[:half]} … {left_out:,} more … {text[-half:]}"


class Told(str):
    """A failure as a learner reads it; in a line with `.line`."""

    line: str

    def toterminal(self, terminal: Any) -> None:
        terminal.line(self)


def in_words(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """What went wrong, without Python's inner workings."""
    error, text = excinfo.value, str(excinfo.value)
    if isinstance(error, NothingCame):
        return text[0].upper() + text[1:] + ": your app sent no message and no close."
    if isinstance(error, WebSocketDisconnect):
        status = getattr(error, "status_code", None)
        if status is not None:
            return f"The handshake was refused with HTTP {status}."
        reason = f" and the reason {error.reason!r}" if error.reason else ""
        return f"Instead of a message came the end: code {error.code}{reason}."
    if text.startswith("DID NOT RAISE") and "WebSocketDisconnect" in text:
        return "The handshake was accepted; it should have been refused."
    if isinstance(error, ConnectionRefusedError | httpx2.TransportError):
        return (
            "Nobody answers any more: your app has ended, or kept us waiting too long."
        )
    if isinstance(error, KeyError) and text in {"'text'", "'bytes'"}:
        other = {"'text'": "binary", "'bytes'": "text"}[text]
        return f"The message that came is {other}; the other kind was expected."
    if isinstance(error, AssertionError):
        text = text.removeprefix("assert ").replace("\n  expected: ", "\nexpected: ")
        return text or "What the test asserts does not hold."
    if isinstance(error, pytest.fail.Exception):
        return text
    return f"{type(error).__name__}: {text}"


# What a crash, a refusal or a warning means; better than the hint of the task.
CAUSES = {
    r'Need to call "accept"|message "websocket.accept"': "Call accept() first.",
    'Cannot call "receive" once': "The client had left. After a message of the type "
    "websocket.disconnect there is nothing to receive: end the loop.",
    "KeyError: '(text|bytes)'": "receive() gave a message without this key: of the "
    "other kind, or websocket.disconnect. Look at its type first.",
    r"coroutine '([\w.]+)' was never awaited": "There is an `await` missing.",
    "refused with HTTP 403": "Is there a WebSocket route on this path, and does it "
    "accept?",
}


def cause_of(story: str) -> str | None:
    """What the story itself shows to be wrong."""
    found = (cause for sign, cause in CAUSES.items() if re.search(sign, story))
    return next(found, None)


def tell(item: pytest.Function, excinfo: pytest.ExceptionInfo[BaseException]) -> Told:
    """The whole story of a failed task: task, exchange, difference, crash, hint."""
    task, tasks = task_of(item), tasks_of(recipe_of(item))
    assert task is not None
    assert tasks is not None
    what = in_words(excinfo)
    story = [f"Task: {task.title}"]
    client = item.funcargs.get("client")
    if isinstance(client, Client):
        if settings := item.get_closest_marker("settings"):
            items = values_of(tuple(settings.kwargs.items())).items()
            values = [f"{name}={value}" for name, value in items]
            story += ["", f"Run with {', '.join(values)}"]
        if client.transcript:
            story += ["", "What happened:"]
            if (earlier := len(client.transcript) - 20) > 0:
                story += [f"  … {earlier} lines before"]
            story += [f"  {line}" for line in client.transcript[-20:]]
        entries = [e for e in excinfo.traceback if e.path == item.path]
        if entries:
            lines = entries[-1].statement.lines
            # Without what is for the type checker.
            statement = [line.partition("  # type:")[0].strip() for line in lines]
            story += ["", "The test says:", "  " + " ".join(statement)]
        story += ["", *what.splitlines()]
        raised = set()
        for crash in crashes_of(client, item):
            at = f" on line {crash.line}" if crash.line else ""
            message = in_a_line(crash.message)
            raised.add(f"Your app raised{at}: {crash.kind}: {message}")
        story += [line for crash in sorted(raised)[:2] for line in ("", crash)]
        if isinstance(client, LiveClient):
            warned = "".join(client.server.output)
            if forgotten := re.search(r"coroutine '[\w.]+' was never awaited", warned):
                story += ["", f"Your app printed: {forgotten[0]}"]
    else:
        story += ["", *what.splitlines()]
    if BROKEN not in item.stash:
        text = "\n".join(story)
        look = "Look at that first." if "\nYour app raised" in text else None
        hint = tasks.hint_for(task, text) or cause_of(text) or look or task.hints[0]
        story += ["", f"Hint: {hint}"]
        if item.config.getoption("mine"):
            story += [f"More: python -m recipes hint {recipe_of(item)} 2"]
    told = Told("\n".join(story))
    told.line = " ".join(line.strip() for line in what.splitlines())
    return told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """Tell a failed task in full; the report and `--junitxml` carry its text."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if isinstance(item, pytest.Function) and (task := task_of(item)) is not None:
        if call.when == "call":
            item.user_properties += [("task", task.title), ("level", task.level)]
            report.user_properties = item.user_properties
        if report.failed and call.excinfo is not None:
            report.longrepr = tell(item, call.excinfo)
    return report  # type: ignore[return-value]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if judging(config):
        # One failure in full is enough to go on with: see the summary below.
        config.option.tbstyle = "no"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """With answers to judge: the first failure in full, the others in a line."""
    failed = [
        report
        for kind in ("failed", "error")
        for report in terminalreporter.stats.get(kind, [])
        if isinstance(report.longrepr, Told)
    ]
    if not judging(config) or not failed:
        return
    terminalreporter.reportchars = ""
    terminalreporter.section("the first task that failed")
    terminalreporter.line(failed[0].nodeid)
    terminalreporter.line("")
    terminalreporter.line(str(failed[0].longrepr))
    if failed[1:]:
        terminalreporter.section("the others")
    for report in failed[1:]:
        assert isinstance(report.longrepr, Told)
        terminalreporter.line(f"{report.nodeid}: {report.longrepr.line[:160]}")
