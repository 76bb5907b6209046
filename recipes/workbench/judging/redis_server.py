"""A Redis for tests: at a port of the system's, in a folder of its own."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from recipes.workbench.servers.launcher import launcher
from recipes.workbench.servers.relay import RELAYED
from recipes.workbench.servers.server import StartError

BOUND = 10.0
NAMES = ["redis-server", "valkey-server"]
# Starts a program, tells its number, and ends it when the pipe from us closes: no
# Redis outlives the tests, whatever ended them.
KEEPER = """
import os, subprocess, sys
program = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
print(program.pid, flush=True)
sys.stdin.read()
program.kill()
"""


class Missing(StartError):
    """There is no redis-server on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "This needs a redis-server, and there is none on this machine: install the "
            "package redis-server (Debian, Ubuntu), redis (brew) or valkey."
        )


class RedisServer:
    """A Redis that can be killed, stopped and started again at the same port.

    Args:
        options: as on the command line of redis-server, such as `--requirepass`, `x`.

    Raises:
        Missing: there is none to start.
    """

    def __init__(self, *options: str) -> None:
        self.program = next(filter(None, map(shutil.which, NAMES)), "")
        if not self.program:
            raise Missing
        self.options = options
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        # A graded answer has no network, only a way to what lies in one folder.
        self._file = ""
        if (way := launcher()) is not None and hasattr(os, "fork"):
            folder = Path(way.folder) / RELAYED
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            self._file = str(folder / str(self.port))
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, at the same port as before, and wait until it answers."""
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", self._folder.name, "--save", "", *self.options]
        if self._file:
            command += ["--unixsocket", self._file, "--unixsocketperm", "777"]
        self._keeper = subprocess.Popen(
            [sys.executable, "-S", "-c", KEEPER, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        self.pid = int(self._keeper.stdout.readline())
        deadline = time.monotonic() + BOUND
        while not self._answers():
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(f"redis-server did not start at port {self.port}.")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), BOUND) as line:
                line.sendall(b"PING\r\n")
                return line.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def command(self, *words: Any) -> Any:
        """What Redis answers to a command."""
        # Not at the top: most that judge need no Redis.
        import redis

        password = None
        if "--requirepass" in self.options:
            password = self.options[self.options.index("--requirepass") + 1]
        with redis.Redis(
            port=self.port, password=password, decode_responses=True
        ) as client:
            return client.execute_command(*words)

    def kill(self) -> None:
        """SIGKILL, or what the system has instead; what it held in memory is gone."""
        self._keeper.communicate(timeout=BOUND)  # closes the pipe

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()
        self._folder.cleanup()


class Shared:
    """A Redis for all the answers that are judged, started when first needed."""

    def __init__(self) -> None:
        self._server: RedisServer | None = None

    def get(self) -> RedisServer:
        """The Redis. Raises Missing."""
        if self._server is None:
            self._server = RedisServer()
            atexit.register(self._end)
        return self._server

    def _end(self) -> None:
        with contextlib.suppress(Exception):
            assert self._server is not None
            self._server.__exit__()

    def database(self, number: int) -> Callable[[], str]:
        """The setting that has an app use this database of it."""
        return lambda: f"{self.get().url.removesuffix('/0')}/{number}"


shared = Shared()
# For the tests that take Redis away: the others' servers must not notice.
mortal = Shared()
