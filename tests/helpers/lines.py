"""How a test knows that an answer runs, holds it there, and sees that it has ended."""

import contextlib
import socket
from typing import Self

import psutil

from recipes.workbench import catalog

BOUND = 30.0
# After `Lines.source`, this makes an answer wait for a word of the test.
HANGS = "_line.recv(1)\n"


class Lines:
    """Where the answers call that have `source` in them: each holds a line open."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(BOUND)
        self.accepted: list[socket.socket] = []
        port = self.listener.getsockname()[1]
        self.source = (
            "import socket as _socket\n"
            f"_line = _socket.create_connection(('127.0.0.1', {port}))\n"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for each in [self.listener, *self.accepted]:
            each.close()

    def accept(self) -> socket.socket:
        """The line to the next that runs."""
        line, _ = self.listener.accept()
        self.accepted.append(line)
        line.settimeout(BOUND)
        return line


def pytest_below(judge: psutil.Process) -> psutil.Process:
    """The pytest that a process has started to judge an answer."""
    below = judge.children(recursive=True)
    [found] = [child for child in below if "pytest" in child.cmdline()]
    return found


def has_ended(line: socket.socket) -> bool:
    """Wait for the end of the process at the other end; the system closes its line."""
    with contextlib.suppress(ConnectionResetError):
        return line.recv(1) == b""
    return True


def waits_in_the_last_task(lines: Lines) -> str:
    """The reference of recipe 1, of which the second farewell to Ada waits for a word.

    The first is said in the first task, the second in the second and last.
    """
    solution = catalog.solution("r01_setup").read_text(encoding="utf-8")
    farewell = "    await websocket.close("
    assert solution.count(farewell) == 1
    wait = (
        "    calls.append(name)\n"
        "    if calls.count('Ada') == 2:\n"
        f"        exec({lines.source + HANGS!r})\n"
    )
    return "calls = []\n" + solution.replace(farewell, wait + farewell)
