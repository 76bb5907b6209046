"""Start `python -m MODULE` in a process of its own, warm where the system can.

Everywhere that is `subprocess.Popen`. Where there are Unix sockets and `fork`, a warm
Python (`warm.py`) has done the imports already and forks, in a tenth of the time.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from recipes.workbench import catalog
from recipes.workbench.servers.launcher import Launcher, launcher

# Seconds for the answer of a warm Python, which may have its imports still before it.
PATIENCE = 10.0
# Where a process is told the number of the listening socket that it is handed.
LISTENER = "WORKBOOK_LISTENER"


class Kind(NamedTuple):
    """What a warm Python is for: `variable` of the environment tells where it is."""

    variable: str
    modules: list[str]


# What apps import, and the server below them.
APPS = Kind(
    "WORKBOOK_WARM_APPS",
    [
        *("fastapi", "fastapi.responses", "fastapi.staticfiles", "fastapi.templating"),
        *("fastapi.security", "jinja2", "jwt", "pwdlib.hashers.argon2"),
        *("redis.asyncio", "python_multipart.multipart", "uvicorn", "uvloop"),
        *("uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto"),
        "uvicorn.protocols.websockets.auto",
    ],
)
# What pytest and the tests import, which judge an answer.
JUDGING = Kind(
    "WORKBOOK_WARM_JUDGING",
    [
        *("pytest", "_pytest.junitxml", "_pytest.assertion.rewrite", "httpx2"),
        *("psutil", "fastapi", "starlette.testclient", "websockets.sync.client"),
    ],
)


class Process(Protocol):
    """What is used of a `subprocess.Popen`."""

    pid: int

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


class Forked:
    """A process that a warm Python has forked, with the interface of `Popen`.

    Its exit status is -1 when the process that waits for it was killed with it.

    Raises OSError: the warm Python is not there any more.
    """

    def __init__(
        self,
        address: str,
        order: Mapping[str, object],
        output: int,
        errors: int,
        listener: socket.socket | None = None,
    ) -> None:
        self._status: int | None = None
        self._line = socket.socket(socket.AF_UNIX)
        self._line.settimeout(PATIENCE)
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            reading, writing = os.pipe()
            theirs.callback(os.close, reading)
            self.stdin = ours.enter_context(os.fdopen(writing, "wb", 0))
            self.stdout, out = self._output(output, theirs, ours)
            self.stderr, err = self._output(errors, theirs, ours)
            ours.enter_context(self._line)
            self._line.connect(address)
            data = json.dumps(order).encode() + b"\n"
            handed = [reading, out, err] + ([listener.fileno()] if listener else [])
            sent = socket.send_fds(self._line, [data], handed)
            self._line.sendall(data[sent:])
            pid = self._read()
            if pid is None:
                raise OSError("the warm Python did not start it")
            ours.pop_all()
        self.pid = pid

    @staticmethod
    def _output(
        wanted: int, theirs: contextlib.ExitStack, ours: contextlib.ExitStack
    ) -> tuple[IO[bytes] | None, int]:
        """Our end of an output and theirs: of a new pipe, or of what is wanted."""
        if wanted != subprocess.PIPE:
            return None, wanted
        reading, writing = os.pipe()
        theirs.callback(os.close, writing)
        return ours.enter_context(os.fdopen(reading, "rb")), writing

    def _read(self) -> int | None:
        """The next number that its keeper tells; None if it has gone."""
        said = b""
        # Byte by byte, since the next may be there already.
        while not said.endswith(b"\n"):
            piece = self._line.recv(1)
            if not piece:
                return None
            said += piece
        return int(said)

    def poll(self) -> int | None:
        """The exit status if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status when it has ended. Raises `subprocess.TimeoutExpired`."""
        if self._status is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("python", timeout or 0)
            status = self._read()
            self._line.close()
            self._status = -1 if status is None else status
        return self._status

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)


class Warm:
    """A warm Python, which begins to import `modules` now. Not on Windows.

    Attributes:
        address: where it listens, also while it still imports.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        # Nobody else may look into the folder, so nobody else can connect.
        self._folder = tempfile.TemporaryDirectory(prefix="warm")
        self.address = str(Path(self._folder.name) / "socket")
        name = "recipes.workbench.servers.warm"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(64)
            number = listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", name, str(number), *modules],
                cwd=catalog.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[number],
                start_new_session=True,
            )

    def end(self) -> None:
        """End it; what it has started goes on."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


def address_of(kind: Kind) -> str:
    """Where the warm Python of a kind listens; empty if there is none for this folder.

    What it has imported comes from the folder that it was started in. A copy of the
    workbook, and its tests have some, has one of its own.
    """
    address, _, folder = os.environ.get(kind.variable, "").partition(os.pathsep)
    return address if folder == str(catalog.ROOT) else ""


@contextlib.contextmanager
def warm(kind: Kind) -> Iterator[None]:
    """Have what this process and its children start of a kind be forked."""
    if sys.platform == "win32" or address_of(kind):
        yield
        return
    before = os.environ.get(kind.variable)
    python = Warm(kind.modules)
    os.environ[kind.variable] = f"{python.address}{os.pathsep}{catalog.ROOT}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[kind.variable]
        else:
            os.environ[kind.variable] = before
        python.end()


def start(
    kind: Kind,
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: int = subprocess.PIPE,
    errors: int = subprocess.PIPE,
    listener: socket.socket | None = None,
) -> Process:
    """Run `python -m module` in the workbook, with a pipe for its standard input.

    Args:
        kind: the warm Python that is asked first, if there is one.
        environment: all that it gets to see of one.
        output: a descriptor for its standard output, or `subprocess.PIPE`.
        errors: the same for its standard error.
        listener: a socket that it is handed; LISTENER tells it the number. Not on
            Windows.
    """
    # A grader has its own way to start apps, and no two of them share a process.
    way = launcher() if kind is APPS else None
    if way is None and (address := address_of(kind)):
        # Of what a warm Python hands on, it is the first after the standard streams.
        told = {LISTENER: "3"} if listener else {}
        order = {
            "module": module,
            "arguments": list(arguments),
            "environment": {**environment, **told},
        }
        with contextlib.suppress(OSError):
            return Forked(address, order, output, errors, listener)
    way = way or Launcher([], sys.executable, str(catalog.ROOT), {})
    told = {LISTENER: str(listener.fileno())} if listener else {}
    # A group of its own, so that Ctrl-C is left to whoever started it.
    new_group = 0
    if sys.platform == "win32":
        new_group = subprocess.CREATE_NEW_PROCESS_GROUP
    return subprocess.Popen(
        [*way.prefix, way.python, "-m", module, *arguments],
        cwd=way.folder,
        env={**environment, **way.environment, **told},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
        start_new_session=True,
        creationflags=new_group,
        pass_fds=[listener.fileno()] if listener else [],
        user=way.user,
        group=way.user,
        extra_groups=None if way.user is None else [],
    )
