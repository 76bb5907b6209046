"""A Python that has imported already what others need, and forks: `python -m`, warm.

Run as `python -m recipes.workbench.servers.warm LISTENER MODULE…` by `starting.py`: it
imports the modules and serves a Unix socket that listens already. Each connection asks
for one process, with one line and three descriptors, its standard streams,
or a fourth, which gets the number 3:

    {"module": "pytest", "arguments": ["-q"], "environment": {…}}

and is answered with lines: the number of the process, and when it has ended its exit
status as `subprocess` gives it. The process and its group end with the connection, so
nothing outlives whoever asked for it, not even an app that listens to nobody. When the
pipe on its standard input closes, this ends, too; what it has started goes on.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from typing import Any

# Bytes of an order: a command line and an environment.
LONGEST_ORDER = 2**20


def serve(listener: socket.socket) -> dict[str, Any]:
    """Fork for each order, until the pipe closes; returns in the new process."""
    # The keepers of the processes are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener.fileno(), 0], [], [])
        if 0 in ready and not os.read(0, 64):
            os._exit(0)
        if listener.fileno() in ready:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return keep(line)
            line.close()


def keep(line: socket.socket) -> dict[str, Any]:
    """Start a process, and tell when it has ended; returns in the new process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, streams, _, _ = socket.recv_fds(line, LONGEST_ORDER, 4)
    while not data.endswith(b"\n"):
        if not (more := line.recv(LONGEST_ORDER)):
            os._exit(1)
        data += more
    order: dict[str, Any] = json.loads(data)
    if pid := os.fork():
        for stream in streams:
            os.close(stream)
        # Here, too: whoever is told the number may end the group at once.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        with contextlib.suppress(OSError):
            line.sendall(b"%d\n" % pid)
        threading.Thread(target=end_with_line, args=(line, pid), daemon=True).start()
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.setpgid(0, 0)
    line.close()
    for number, stream in enumerate(streams):
        if stream != number:
            os.dup2(stream, number)
            os.close(stream)
    return order


def end_with_line(line: socket.socket, pid: int) -> None:
    """End the process and its group when whoever asked for it has gone."""
    with contextlib.suppress(OSError):
        line.recv(1)
    with contextlib.suppress(OSError):  # it has ended just now
        os.killpg(pid, signal.SIGKILL)


def become(order: dict[str, Any]) -> None:
    """What `python -m` does before it runs a module."""
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv[1:] = order["arguments"]
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", 0))
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0), write_through=True)
    errors = io.TextIOWrapper(os.fdopen(2, "wb", 0), errors="backslashreplace")
    errors.reconfigure(write_through=True)
    sys.stderr = errors


def main(number: str, *modules: str) -> None:
    """Import the modules and serve; in a process that was asked for, run its module.

    Args:
        number: the descriptor of the listening socket.
        modules: what to import; one that is not installed is passed over.
    """
    listener = socket.socket(fileno=int(number))
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    # The memory is shared until somebody writes to it, as collecting garbage does.
    gc.freeze()
    order = serve(listener)
    become(order)
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
