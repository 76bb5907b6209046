"""The fixture `client`, and how a failed task is told."""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpx2
import pytest
from starlette.websockets import WebSocketDisconnect

from recipes.workbench import catalog
from recipes.workbench.server import AppServer, Crash, StartError, in_a_line
from tests.transports import Client, InProcessClient, LiveClient, NothingCame

# Characters of a value in a failure.
LONGEST = 2_000
# Seconds for one test against a real server; each wait in it has a bound of its own.
BOUND = float(os.environ.get("WORKBOOK_TEST_SECONDS") or 30)
BROKEN = pytest.StashKey[str]()


class Target(NamedTuple):
    """The module that a test talks to."""

    name: str
    file: Path | None
    settings: tuple[tuple[str, Any], ...]


def judging(config: pytest.Config) -> bool:
    """Whether answers from outside are judged, instead of the workbook itself."""
    return bool(config.getoption("submission"))


def is_task(item: pytest.Item) -> bool:
    return item.get_closest_marker("task") is not None


def target_of(item: pytest.Item) -> Target:
    """What the test's recipe, marks and the command line say that it talks to."""
    recipe = item.path.stem.removeprefix("test_")
    mark = item.get_closest_marker("settings")
    settings = tuple(sorted(mark.kwargs.items())) if mark else ()
    if is_task(item):
        answers = item.config.getoption("submission") or catalog.SOLUTIONS
        file = Path(answers).resolve() / recipe / "exercise.py"
        return Target(f"recipes.{recipe}.exercise", file, settings)
    mark = item.get_closest_marker("module")
    name = mark.args[0] if mark else "main"
    return Target(f"recipes.{recipe}.{name}", None, settings)


# Which tests run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `client` on both transports; judge a task once."""
    node = metafunc.definition
    if "client" in metafunc.fixturenames and not judging(metafunc.config):
        live_only = node.get_closest_marker("live") is not None
        transports = ["live"] if live_only else ["testclient", "live"]
        metafunc.parametrize("client", transports, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With answers to judge, only the recipes' suites hold something to run."""
    if judging(config) and collection_path.is_file():
        return not re.fullmatch(r"test_r\d\d_\w+\.py", collection_path.name)
    return None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if judging(config):
        left_out = [item for item in items if not is_task(item)]
    elif not catalog.SOLUTIONS.is_dir():
        left_out = [item for item in items if is_task(item)]
    else:
        left_out = []
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


# What they talk to


class Servers:
    """One server for each target, started when first needed, restarted if it died."""

    def __init__(self) -> None:
        self.started: dict[Target, AppServer] = {}
        self.broken: dict[tuple[str, Path | None], str] = {}

    def start(self, target: Target) -> AppServer:
        """Start the target's server, and do not wait until it serves."""
        name, file, settings = target
        server = AppServer(name, file, dict(settings), wait=False)
        self.started[target] = server
        return server

    def get(self, target: Target) -> AppServer:
        """The target's server. Raises StartError; a target gets one chance only."""
        name, file, _ = target
        if (sentence := self.broken.get((name, file))) is not None:
            raise StartError(sentence)
        server = self.started.get(target) or self.start(target)
        try:
            server.await_start()
            if not server.alive:
                server.kill()
                server = self.start(target)
                server.await_start()
        except StartError as error:
            self.broken[name, file] = str(error)
            raise
        return server

    def kill(self) -> None:
        for server in self.started.values():
            server.kill()


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    servers = Servers()
    try:
        if judging(request.config):
            # A start takes longer than most tasks: all side by side, ahead of them.
            items = [i for i in request.session.items if i.path == request.path]
            for target in {target_of(item) for item in items}:
                if target.file is not None and target.file.is_file():
                    servers.start(target)
        yield servers
    finally:
        servers.kill()


@pytest.fixture(scope="module")
def modules() -> dict[tuple[str, Path | None], ModuleType]:
    """What is imported into this process, for TestClient."""
    return {}


@pytest.fixture
def client(
    request: pytest.FixtureRequest,
    servers: Servers,
    modules: dict[tuple[str, Path | None], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client | None]:
    """A client of the recipe's app, on TestClient or on a real server.

    Both have TestClient's own calls. `client.log` is what the app logged in this test,
    `client.crashes` what left a handler uncaught: what is left there fails the test.
    """
    name, file, settings = target = target_of(request.node)
    if file is not None and not file.is_file():
        request.node.stash[BROKEN] = f"There is no {file}."
        yield None
    elif getattr(request, "param", "live") == "live":
        try:
            server = servers.get(target)
        except StartError as error:
            request.node.stash[BROKEN] = str(error)
            yield None
        else:
            # An answer that drips byte by byte comes under no bound of a single wait.
            watchdog = threading.Timer(BOUND, server.kill)
            watchdog.start()
            with LiveClient(server) as client:
                yield client
            watchdog.cancel()
            watchdog.join()
    else:
        if (name, file) not in modules:
            modules[name, file] = catalog.load(name, file)
        for key, value in settings:
            monkeypatch.setattr(modules[name, file], key, value)
        with InProcessClient(modules[name, file]) as client:
            yield client


def crashes_of(client: Client, item: pytest.Item) -> list[Crash]:
    """The crashes that are defects here: not those that the recipe is about."""
    allowed = {mark.args[0] for mark in item.iter_markers("crash_ok")}
    return [crash for crash in client.crashes if crash.kind not in allowed]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Do not run a test without an app; look for crashes behind one that passed."""
    if (sentence := pyfuncitem.stash.get(BROKEN, None)) is not None:
        pytest.fail(sentence, pytrace=False)
    result = yield
    client = pyfuncitem.funcargs.get("client")
    if isinstance(client, Client):
        if crashes_of(client, pyfuncitem):
            pytest.fail("What came was right, but the app raised.", pytrace=False)
        if client.stuck:
            pytest.fail(
                f"The handler of {client.stuck[0]} still runs although its client "
                "has left.",
                pytrace=False,
            )
    return result


# How a failure is told


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


def cause_of(story: list[str]) -> str | None:
    """What the story itself shows to be wrong."""
    text = "\n".join(story)
    found = (cause for sign, cause in CAUSES.items() if re.search(sign, text))
    return next(found, None)


def tell(item: pytest.Function, excinfo: pytest.ExceptionInfo[BaseException]) -> Told:
    """The whole story of a failed task: task, exchange, difference, crash, hint."""
    mark = item.get_closest_marker("task")
    assert mark is not None
    what = in_words(excinfo)
    story = [f"Task: {mark.args[0]}"]
    client = item.funcargs.get("client")
    if isinstance(client, Client):
        if settings := item.get_closest_marker("settings"):
            values = [f"{name}={value}" for name, value in settings.kwargs.items()]
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
    hints = mark.kwargs.get("hints")
    if hints and BROKEN not in item.stash:
        recipe = item.path.stem.removeprefix("test_")
        look = (
            "Look at that first." if "\nYour app raised" in "\n".join(story) else None
        )
        story += ["", f"Hint: {cause_of(story) or look or hints[0]}"]
        if item.config.getoption("mine"):
            story += [f"More: python -m recipes hint {recipe} 2"]
    told = Told("\n".join(story))
    told.line = " ".join(line.strip() for line in what.splitlines())
    return told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """Tell a failed task in full; the report and `--junitxml` carry its text."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if isinstance(item, pytest.Function) and is_task(item):
        mark = item.get_closest_marker("task")
        assert mark is not None
        level = mark.kwargs.get("level", "core")
        if call.when == "call":
            item.user_properties += [("task", mark.args[0]), ("level", level)]
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
