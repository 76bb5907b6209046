"""A server in a child process, and a plan carried out against it."""

import contextlib
import json
import multiprocessing
import os
import platform
import queue
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from rich.progress import Progress

from recipes.r06_benchmarking.bench import load
from recipes.r06_benchmarking.bench.load import Plan, Tally

HERE = "recipes.r06_benchmarking"
NODE_SERVER = Path(__file__).with_name("node_ws.cjs")
START_TIMEOUT = 15.0
# Seconds for one measurement, beside the time that its pauses take.
LONGEST = 300.0


class CannotRun(Exception):
    """The measurement could not be made; the text says why."""


def command_of(app: str, nonce: str, options: dict[str, Any]) -> list[str]:
    """How to start a server. `main` is this recipe's, `module:app` anybody's."""
    chosen = json.dumps(options)
    if app == "node":
        return [find_node(), str(NODE_SERVER), nonce, chosen]
    if app not in {"websockets", "write"} and ":" not in app:
        app = f"{HERE}.{app}:app"
    return [sys.executable, "-m", f"{HERE}.bench.serve", app, nonce, chosen]


def find_node() -> str:
    """Node's program. Raises CannotRun where it, or its package `ws`, is missing."""
    node = shutil.which("node")
    if node is None:
        raise CannotRun("--app node needs Node.js, and there is no `node` here.")
    paths = json.dumps({"paths": [str(NODE_SERVER.parent)]})
    look = [node, "-e", f"require.resolve('ws', {paths})"]
    if subprocess.run(look, capture_output=True, timeout=START_TIMEOUT).returncode:
        raise CannotRun(
            "--app node needs Node's package ws: `npm install --no-save ws@8` in the "
            "workbook's folder."
        )
    return node


def hand_on(lines: Iterable[str], to: "queue.Queue[str]") -> None:
    for line in lines:
        to.put(line)
    to.put("")  # the end


@contextlib.contextmanager
def serving(
    app: str, options: dict[str, Any], quiet: bool = False
) -> Iterator[tuple[Plan, subprocess.Popen[str]]]:
    """A server in a child process, and where to connect."""
    nonce = secrets.token_hex(8)
    command = command_of(app, nonce, options)
    environment = os.environ | ({"BENCHMARK_QUIET": "1"} if quiet else {})
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    errors: list[str] = []
    assert child.stdout is not None
    assert child.stderr is not None
    readers = [
        threading.Thread(target=hand_on, args=(child.stdout, lines)),
        threading.Thread(target=errors.extend, args=(child.stderr,)),
    ]
    for reader in readers:
        reader.start()
    try:
        try:
            port = int(lines.get(timeout=START_TIMEOUT))
        except (queue.Empty, ValueError):
            child.kill()
            readers[1].join()
            last = errors[-1].strip() if errors else "it says nothing"
            raise CannotRun(f"{app} does not start: {last}") from None
        yield Plan(f"ws://127.0.0.1:{port}/chatroom", nonce), child
    finally:
        child.kill()
        child.wait()
        for reader in readers:
            reader.join()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time that a process has used.

    On Linux by its CPU clock, in nanoseconds (clock_getcpuclockid(3)). Elsewhere as the
    system counts it: in ticks, of 10 ms for instance.
    """
    if platform.system() == "Linux":
        return time.clock_gettime((~process.pid << 3) | 2)
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(
    plan: Plan, server: subprocess.Popen[str] | None, progress: Progress, label: str
) -> tuple[dict[str, Any], Tally]:
    """Carry out a plan in a process of its own; its figures, and its tally."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=load.main, args=(plan, theirs))
    process.start()
    theirs.close()
    watched = psutil.Process(server.pid) if server else None
    empty = watched.memory_info().rss if watched else 0
    total = plan.senders * plan.messages * plan.clients
    joining = progress.add_task(f"{label}: joining", total=plan.clients)
    talking = progress.add_task(f"{label}: talking", total=total)
    cpu = memory = 0.0
    longest = LONGEST + (2 * plan.messages / plan.rate if plan.rate else 0)
    deadline = time.monotonic() + longest
    try:
        while True:
            if not ours.poll(max(0.0, deadline - time.monotonic())):
                raise CannotRun(f"{label}: not done after {longest:.0f} s")
            try:
                event, value = ours.recv()
            except EOFError:
                raise CannotRun(f"{label}: the clients' process died") from None
            if server and server.poll() is not None:
                raise CannotRun(f"{label}: the server died")
            if event == "failed":
                raise CannotRun(f"{label}: {value}")
            if event == "joined":
                progress.update(joining, completed=value)
            elif event == "received":
                progress.update(talking, completed=value)
            elif event in {"start", "end"}:
                if watched:
                    memory = watched.memory_info().rss - empty
                    cpu = cpu_seconds(watched) - (cpu if event == "end" else 0)
                ours.send(event)
            elif event == "tally":
                progress.update(talking, completed=total)
                return load.summary(value, cpu, memory), value
    finally:
        process.kill()
        process.join()
        ours.close()
        for task in (joining, talking):
            progress.remove_task(task)
