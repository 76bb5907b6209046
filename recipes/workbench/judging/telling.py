"""How a failed task is told: the exchange, the difference, the crash, a hint."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from recipes.workbench.judging.causes import cause_of, no_route
from recipes.workbench.judging.fixtures import BROKEN, allowed_for, values_of
from recipes.workbench.judging.live import LiveClient
from recipes.workbench.judging.session import Client
from recipes.workbench.judging.targets import judging, recipe_of, task_of, tasks_of
from recipes.workbench.judging.wording import LONGEST, in_words, stop_of, two_values
from recipes.workbench.servers.server import SET_UP, StoodStill, in_a_line
from recipes.workbench.visible import visible

# Errors that follow from a client's leaving, which the judge's own is, too.
OF_LEAVING = {"WebSocketDisconnect", "WebSocketDisconnected", "ClientDisconnected"}


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """What came and what was expected, one below the other."""
    if op == "in":
        right, left = two_values(right, left)
        return [f"received: {right}", f"expected: {left} in it"]
    if op == "not in":
        right, left = two_values(right, left)
        return [f"received: {right}", f"expected: no {left} in it"]
    if op != "==":
        return None
    received, expected = two_values(left, right)
    if max(len(received), len(expected)) <= LONGEST:
        return [f"received: {received}", f"expected: {expected}"]
    # Raised, not returned: pytest would still make a diff of its own, and take minutes
    # for some that are long.
    raise AssertionError(f"received: {received}\nexpected: {expected}")


class Told(str):
    """A failure as a learner reads it; in a line with `.line`."""

    line: str

    def toterminal(self, terminal: Any) -> None:
        terminal.line(self)


def tell(item: pytest.Function, excinfo: pytest.ExceptionInfo[BaseException]) -> Told:
    """The whole story of a failed task: task, exchange, difference, crash, hint."""
    task, tasks = task_of(item), tasks_of(recipe_of(item))
    assert task is not None
    assert tasks is not None
    stop = stop_of(excinfo, item.path)
    client = item.funcargs.get("client")
    live = client if isinstance(client, LiveClient) else None
    port = live.server.port if live and live.server.alive else None
    what = in_words(excinfo, stop, port)
    story = [f"Task: {task.title}"]
    if isinstance(client, Client):
        story += exchange(item, client)
        if stop is not None:
            story += ["", "The test says:", "  " + " ".join(stop.statement.split())]
    story += ["", *what.splitlines()]
    if isinstance(client, Client):
        story += list(told_crashes(client, item))
    if live is not None:
        story += list(remarks(live))
    if BROKEN not in item.stash and SET_UP not in what:
        text = "\n".join(story)
        look = "Look at that first." if "\nYour app raised" in text else None
        routes = live.server.routes() if live else []
        hint = no_route(text, routes) or tasks.hint_for(task, text)
        hint = hint or cause_of(text, routes) or look or task.hints[0]
        story += ["", f"Hint: {hint}"]
        if item.config.getoption("mine"):
            story += [f"More: python -m recipes hint {recipe_of(item)} 2"]
    told = Told(visible("\n".join(story)))
    told.line = visible(" ".join(line.strip() for line in what.splitlines()))
    return told


def exchange(item: pytest.Function, client: Client) -> list[str]:
    """What the app was run with, what happened, and who was still there at the end."""
    told = []
    settings = item.get_closest_marker("settings")
    if settings:
        items = values_of(tuple(settings.kwargs.items())).items()
        values = [f"{name}={value}" for name, value in items]
        told += ["", f"Run with {', '.join(values)}"]
    if client.transcript:
        about_time = settings and re.search(
            "TIMEOUT|SECONDS", " ".join(settings.kwargs)
        )
        lines = client.transcript.told(with_times=bool(about_time))
        told += ["", "What happened:", *(f"  {line}" for line in lines)]
    if client.still_there:
        open_ones = sorted(client.still_there, key=lambda session: session.number)
        told += [f"  still there: {', '.join(each.label for each in open_ones)}"]
    return told


def told_crashes(client: Client, item: pytest.Item) -> Iterator[str]:
    """What the app raised, but for what follows from the end of a failed test."""
    before = client.crashed_before
    crashes = [
        crash
        for number, crash in enumerate(client.crashes)
        if before is None or number < before or crash.kind not in OF_LEAVING
    ]
    allowed = allowed_for(item)
    raised = dict.fromkeys(
        (crash.line or 0, crash.source, crash.kind, in_a_line(crash.message))
        for crash in crashes
        if crash.kind not in allowed
    )
    for line, source, kind, message in sorted(raised)[:2]:
        at = f" on line {line}" if line else ""
        yield ""
        yield f"Your app raised{at}: {kind}" + (f": {message}" if message else "")
        if source:
            yield f"  {source}"


def remarks(client: LiveClient) -> Iterator[str]:
    """What else was seen of the app, which fails no test by itself."""
    printed = "".join(client.server.output)
    if forgotten := re.search(r"coroutine '[\w.]+' was never awaited", printed):
        yield ""
        yield f"Your app printed: {forgotten[0]}"
    for stood in client.stood_still()[:1]:
        yield ""
        yield stood_in_words(stood)


def stood_in_words(stood: StoodStill) -> str:
    """What is told of an app that held its event loop."""
    return (
        f"Remark: the event loop stood still for {stood.seconds:.1f} s on line "
        f"{stood.line}: {stood.source}"
    )


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
        terminalreporter.line(f"{report.nodeid}: {report.longrepr.line[:240]}")
