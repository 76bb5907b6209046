"""A server in a child process, and a plan carried out against it."""

import contextlib
import json
import multiprocessing
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import psutil
from rich.progress import Progress

from recipes.r06_benchmarking.bench import load
from recipes.r06_benchmarking.bench.load import Plan, Tally

HERE = "recipes.r06_benchmarking"
START_TIMEOUT = 15.0
# Seconds for one measurement.
LONGEST = 300.0


class CannotRun(Exception):
    """The measurement could not be made; the text says why."""


def whole_name(app: str) -> str:
    """`main` is this recipe's; `module:app` and `websockets` are what they are."""
    if app == "websockets" or ":" in app:
        return app
    return f"{HERE}.{app}:app"


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
    command = [sys.executable, "-m", f"{HERE}.bench.serve", whole_name(app), nonce]
    environment = os.environ | ({"BENCHMARK_QUIET": "1"} if quiet else {})
    child = subprocess.Popen(
        [*command, json.dumps(options)],
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
    deadline = time.monotonic() + LONGEST
    try:
        while True:
            if not ours.poll(max(0.0, deadline - time.monotonic())):
                raise CannotRun(f"{label}: not done after {LONGEST:.0f} s")
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
                    times = watched.cpu_times()
                    memory = watched.memory_info().rss - empty
                    cpu = times.user + times.system - (cpu if event == "end" else 0)
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
