"""The parent's side: start an app in a child process and follow what it reports."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import IO, Any, NamedTuple

import psutil

from recipes.workbench.catalog import ROOT
from recipes.workbench.servers.launcher import launcher
from recipes.workbench.servers.starting import APPS, start

# Seconds. Importing FastAPI on a busy laptop takes a few of them.
START_TIMEOUT = 10.0
STOP_TIMEOUT = 5.0
LOOK_TIMEOUT = 1.0
# What is kept of the app's log lines in a test, and of the lines that it prints.
MOST_LOGGED = 20_000
MOST_PRINTED = 400
# What is read of an app that is judged: bytes of a report, reports in all, bytes of
# its reports and of what it prints.
LONGEST_REPORT = 100_000
MOST_REPORTS = 100_000
MOST_OUTPUT = 64 * 2**20

# What begins a sentence about the machine, and not about the app.
SET_UP = "Your set-up, not your answer:"

# Pipes that cannot be closed, since a process that an app started holds them.
HELD: list[IO[bytes] | None] = []

# What an app may see of the environment it is started from: enough to run Python.
# A setting left in the learner's shell must not change what the tests see.
PASSED_ON = [
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR"),
    *("USERPROFILE", "APPDATA", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR"),
    *("PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
]


class StartError(Exception):
    """The app did not start; the text is one plain sentence for its author."""


class Crash(NamedTuple):
    """An exception that left a handler, or was logged.

    `kind` is the exception's class, `message` its text, `line` the line of the app's
    file where it arose (None outside of it), `traceback` the end of the traceback,
    `source` what stands on that line.
    """

    kind: str
    message: str
    line: int | None
    traceback: str
    source: str = ""


class Handler(NamedTuple):
    """A handler that runs: the line of the app's file that it waits on, if it does."""

    kind: str
    path: str
    peer: int
    line: int | None
    source: str


class Where(NamedTuple):
    """What an app does just now.

    `busy` is the line of its own that holds up everything else, if one does, and what
    stands there; `handlers` are those that run.
    """

    busy: tuple[int, str] | None
    handlers: list[Handler]


class StoodStill(NamedTuple):
    """For how long the app's own code held its event loop, and on which line."""

    seconds: float
    line: int
    source: str


def in_a_line(text: str) -> str:
    """The text as a part of one line of at most 300 characters."""
    line = " ".join(text.split())[:300]
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "routes": {"routes": (list,)},
    "ready": {"port": (int,)},
    "failed": {"kind": (str,), "message": (str,), "line": (int, NoneType)},
    "log": {"level": (str,), "message": (str,)},
    "crash": {
        "kind": (str,),
        "message": (str,),
        "line": (int, NoneType),
        "traceback": (str,),
        "source": (str,),
    },
    "begin": {"peer": (int,)},
    "end": {"peer": (int,), "how": (str,)},
    "where": {"handlers": (list,), "busy": (list, NoneType)},
    "stood": {"seconds": (int, float), "line": (int,), "source": (str,)},
}


# The packages that apps and their server import.
NEEDED = {name.partition(".")[0] for name in APPS.modules}
NEEDED |= {"starlette", "pydantic", "websockets", "anyio"}


def not_installed(message: str) -> str:
    """What is told of a package that all recipes need and that is not there."""
    name = re.search(r"No module named '(\w+)", message)
    if name is None or name[1] not in NEEDED:
        return ""
    return (
        f"{SET_UP} the package {name[1]} is not installed for this Python. "
        "Run: python -m pip install -r requirements.txt"
    )


def understood(line: bytes) -> dict[str, Any] | None:
    """A line as a report. None if it is none: an app can write to any descriptor."""
    try:
        report = json.loads(line)
        fields = FIELDS[report["event"]]
        fits = all(isinstance(report[name], kind) for name, kind in fields.items())
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return report if fits else None


class AppServer:
    """A uvicorn server in a process of its own.

    Attributes:
        port: where it serves.
        hooked: whether the app has a handler of its own for SIGTERM.

    Args:
        name: the module that holds `app`.
        file: where to load it from, if not from where `name` says.
        settings: environment variables for the app.
        port: where to serve, on 127.0.0.1; 0 lets the system pick.
        wait: whether to return only when it serves; if not, call `await_start()`.
        judged: whether the app is one to be judged. It is handed a socket, so that no
            other port is ever taken for its own, and ended if it says too much.

    Raises:
        StartError: the app could not be loaded or was not ready in START_TIMEOUT.
    """

    def __init__(
        self,
        name: str,
        file: Path | None = None,
        settings: Mapping[str, object] = {},
        port: int = 0,
        wait: bool = True,
        judged: bool = False,
    ) -> None:
        self.file = file
        self.label = file.name if file else name
        # To start another one like it.
        self.arguments = name, file, dict(settings)
        self.reports: list[dict[str, Any]] = []
        self.output: deque[str] = deque(maxlen=MOST_PRINTED)
        self._news = threading.Condition()
        self._reports_ended = False
        self._logged = 0
        environment = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        environment |= {key: str(value) for key, value in settings.items()}
        module = "recipes.workbench.servers.child"
        if (way := launcher()) is not None:
            judged, file = True, file and way.within(file)
        arguments = [name, str(file or ""), str(port)]
        self._left = MOST_OUTPUT if judged else sys.maxsize
        self._handed = 0
        with contextlib.ExitStack() as stack:
            listener = None
            if judged and sys.platform != "win32":
                listener = socket.create_server(("127.0.0.1", 0))
                stack.enter_context(listener)
                self._handed = listener.getsockname()[1]
            self._process = start(
                APPS, module, arguments, environment, listener=listener
            )
        self._threads = [
            threading.Thread(target=self._follow_reports, daemon=True),
            threading.Thread(target=self._follow_output, daemon=True),
        ]
        self.port = 0
        self.hooked = False
        for thread in self._threads:
            thread.start()
        if wait:
            self.await_start()

    # What the child says

    def _follow_reports(self) -> None:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(LONGEST_REPORT):
            self._count(line)
            report = understood(line)
            if report is None:
                continue
            with self._news:
                self.reported(report)
                self._news.notify_all()
        with self._news:
            self._reports_ended = True
            self._news.notify_all()
        self.ended()

    def _follow_output(self) -> None:
        assert self._process.stderr is not None
        # In pieces: a line of an app's print may be endless.
        while piece := self._process.stderr.readline(8_000):
            self._count(piece)
            self.printed(piece.decode(errors="replace"))

    def _count(self, said: bytes) -> None:
        self._left -= len(said)
        if self._left < 0 <= self._left + len(said):
            self._end_group()

    def reported(self, report: dict[str, Any]) -> None:
        """Keep a report; called by the thread that reads them, as they come."""
        self._logged += report["event"] == "log"
        wanted = report["event"] != "log" or self._logged <= MOST_LOGGED
        if wanted and len(self.reports) < MOST_REPORTS:
            self.reports.append(report)

    def printed(self, line: str) -> None:
        """Keep a line that the app printed; called by the thread that reads them."""
        self.output.append(line)

    def ended(self) -> None:
        """Called by the thread that reads reports, when there will be no more."""

    def wait_for(
        self, wanted: Callable[[dict[str, Any]], bool], timeout: float, since: int = 0
    ) -> dict[str, Any] | None:
        """The first `wanted` report from number `since` on; None after `timeout` s.

        None also, at once, when the process ended without it.
        """

        def found() -> dict[str, Any] | None:
            return next((r for r in self.reports[since:] if wanted(r)), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._reports_ended, timeout)
            return found()

    def handler_ended(self, peer: int, timeout: float, since: int = 0) -> bool:
        """Wait until the handler of the client at port `peer` is over.

        The system gives a port out again: `since` keeps earlier clients out of it.
        """
        return bool(self.how_ended(peer, timeout, since))

    def how_ended(self, peer: int, timeout: float, since: int = 0) -> str:
        """The same; "returned" or "raised", or empty if it is not over in time."""
        report = self.wait_for(
            lambda report: report["event"] == "end" and report["peer"] == peer,
            timeout,
            since,
        )
        return str(report["how"]) if report else ""

    def where(self) -> Where | None:
        """What the app does just now; None if it does not say."""
        with self._news:
            since = len(self.reports)
        with contextlib.suppress(OSError, ValueError):
            self._order(b"where\n")
        report = self.wait_for(
            lambda report: report["event"] == "where", LOOK_TIMEOUT, since
        )
        # The app can write reports, too.
        with contextlib.suppress(TypeError, ValueError):
            if report is not None:
                handlers = [Handler(**each) for each in report["handlers"]]
                busy = report["busy"] and (int(report["busy"][0]), report["busy"][1])
                return Where(busy, handlers)
        return None

    def count(self) -> int:
        """How many reports there are: where the next test's begin."""
        with self._news:
            self._logged = 0
            return len(self.reports)

    def log(self, since: int = 0) -> list[tuple[str, str]]:
        """What the app logged, as (level, message), from report `since` on."""
        with self._news:
            reports = self.reports[since:]
        return [(r["level"], r["message"]) for r in reports if r["event"] == "log"]

    def crashes(self, since: int = 0) -> list[Crash]:
        """The exceptions that were not caught, from report `since` on."""
        with self._news:
            reports = self.reports[since:]
        return [
            Crash(*(report[field] for field in Crash._fields))
            for report in reports
            if report["event"] == "crash"
        ]

    def stood_still(self, since: int = 0) -> list[StoodStill]:
        """When the app held its event loop, from report `since` on."""
        with self._news:
            reports = self.reports[since:]
        return [
            StoodStill(report["seconds"], report["line"], report["source"])
            for report in reports
            if report["event"] == "stood"
        ]

    # Its life

    def await_start(self) -> None:
        """Wait until it serves at `port`. Raises StartError, and then it has ended."""
        began = {"ready", "failed"}
        try:
            report = self.wait_for(lambda r: r["event"] in began, START_TIMEOUT)
            if report is None:
                raise StartError(self._why_not_started())
            if report["event"] == "failed":
                raise StartError(self._why_not_loaded(report))
        except BaseException:
            self.kill()
            raise
        self.port = self._handed or report["port"]
        self.hooked = report.get("hooked") is True

    def routes(self) -> list[tuple[str, str]]:
        """What the app serves, as (kind, path): kind is "websocket" or "page"."""
        report = self.wait_for(lambda report: report["event"] == "routes", 0)
        return [
            (kind, path)
            for kind, path in (report["routes"] if report else [])
            if isinstance(kind, str) and isinstance(path, str)
        ]

    def _why_not_loaded(self, report: dict[str, Any]) -> str:
        kind, line = report["kind"], report["line"]
        message = in_a_line(report["message"])
        at = f" on line {line}" if line else ""
        if kind == "ModuleNotFoundError" and (sentence := not_installed(message)):
            return sentence
        if kind == "SyntaxError":
            return f"{self.label} has a syntax error{at}: {message}."
        if kind == "SystemExit" and message != "None" and not message.isdecimal():
            return f"{self.label} ended the program while it was loaded: {message}"
        if kind == "SystemExit":
            status = f" (exit status {message})" if message != "None" else ""
            return (
                f"{self.label} ended the program while it was loaded{status}: "
                "take the call of exit() out."
            )
        if kind == "NoApp":
            return f"{self.label} has no app: there must be a line `app = FastAPI()`."
        return f"{self.label} cannot be loaded: {kind}{at}: {message}"

    def _why_not_started(self) -> str:
        try:
            status = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return (
                f"{self.label} was not ready after {START_TIMEOUT:.0f} s: does it wait "
                "or loop outside of its functions?"
            )
        self._threads[1].join(timeout=1)
        said = [line.strip() for line in self.output if line.strip()]
        last = said[-1] if said else ""
        if last.startswith("ModuleNotFoundError") and (told := not_installed(last)):
            return told
        if any("while attempting to bind on address" in line for line in said):
            return f"{SET_UP} no port of 127.0.0.1 can be had: {in_a_line(said[-1])}"
        return (
            f"{self.label} ended the program before it served (exit status {status})"
            + (f"; the last it said: {in_a_line(said[-1])}" if said else ".")
        )

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    @property
    def busy(self) -> bool:
        """Whether it computes, or would if the machine had a moment for it."""
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(self._process.pid)
            # Behind a launcher it is not the process that was started.
            states = {each.status() for each in [top, *top.children(recursive=True)]}
            return not states <= {psutil.STATUS_SLEEPING, psutil.STATUS_IDLE}
        return False

    def _order(self, order: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order)
        self._process.stdin.flush()

    def terminate(self) -> None:
        """Have it get a SIGTERM, on Windows too; not waited for is what it does then.

        An app with a handler of its own for SIGTERM that was told so once is spent.
        """
        with contextlib.suppress(BrokenPipeError):
            self._order(b"term\n")

    def wait(self, timeout: float) -> bool:
        """Wait for its end; whether that came within `timeout` seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """Shut down as Ctrl-C does; False if that took too long and it was killed."""
        deadline = time.monotonic() + timeout
        try:
            self._order(b"stop\n")
            self._process.wait(timeout=max(0, deadline - time.monotonic()))
        except BrokenPipeError:
            pass
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self.kill()
        return True

    def kill(self) -> None:
        """End the process and its group, and wait until the last report is read."""
        self._end_group()
        self._process.wait(timeout=STOP_TIMEOUT)
        pipes = [self._process.stdin]
        for thread, pipe in zip(
            self._threads, (self._process.stdout, self._process.stderr), strict=True
        ):
            thread.join(timeout=1)
            # A process that left the group may hold the other end, and closing would
            # wait for it as the thread does.
            (pipes if not thread.is_alive() else HELD).append(pipe)
        for pipe in pipes:
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _end_group(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        else:
            # The group outlives its leader if the app started processes.
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:  # macOS says so of a group of zombies
                self._process.kill()
