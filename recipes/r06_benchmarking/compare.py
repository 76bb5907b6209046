"""Measure one or more chats side by side, in one run.

    python -m recipes.r06_benchmarking.compare --help

Servers take turns, and every round measures each of them, so that what else the machine
does falls on all alike. Exit status: 1 if a message was lost, 2 if it could not run.
"""

import contextlib
import importlib.util
import json
import multiprocessing
import os
import queue
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from recipes.r06_benchmarking import load
from recipes.r06_benchmarking.load import Plan, Tally

HERE = "recipes.r06_benchmarking"
START_TIMEOUT = 15.0
# Seconds for one measurement.
LONGEST = 300.0

console = Console(highlight=False)


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
    command = [sys.executable, "-m", f"{HERE}.serve", whole_name(app), nonce]
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


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of several runs; what was lost or refused is added up."""
    result: dict[str, Any] = {}
    for name, value in runs[0].items():
        values = [run[name] for run in runs]
        if name in {"lost", "doubled", "out_of_order", "expected", "received"}:
            result[name] = sum(values)
        elif isinstance(value, float):
            result[name] = statistics.median(values)
        elif name in {"handshakes", "latency"}:
            result[name] = {
                p: statistics.median(each[p] for each in values) for p in value
            }
        else:
            counts: dict[str, int] = {}
            for each in values:
                for kind, count in each.items():
                    counts[kind] = counts.get(kind, 0) + count
            result[name] = counts
    return result


def report(results: dict[str, dict[str, Any]]) -> None:
    """Print the figures; ratios are to the first server's CPU time."""
    first = next(iter(results.values()))
    costs = Table(title="Deliveries", title_justify="left")
    for column in ("", "CPU, µs", "ratio", "a second", "p50", "p95", "p99", "max, ms"):
        costs.add_column(column, justify="left" if not column else "right")
    checks = Table(title="Handshakes, and what was lost", title_justify="left")
    for column in ("", "p50", "p95", "p99", "max, ms", "KiB", "expected", "lost"):
        checks.add_column(column, justify="left" if not column else "right")
    for label, result in results.items():
        costs.add_row(
            label,
            # Of a server that runs elsewhere (--url) nothing is known.
            f"{result['cpu_us']:.2f}" if result["cpu_us"] else "?",
            f"{result['cpu_us'] / (first['cpu_us'] or 1):.3f}",
            f"{result['deliveries_a_second']:,.0f}",
            *(f"{value:.1f}" for value in result["latency"].values()),
        )
        checks.add_row(
            label,
            *(f"{value:.1f}" for value in result["handshakes"].values()),
            f"{result['kib_a_connection']:.0f}",
            f"{result['expected']:,}",
            f"{result['lost']:,}",
        )
    console.print(costs)
    console.print("CPU: of the server, for each delivery. KiB: of it, a connection.")
    console.print(checks)
    for label, result in results.items():
        for name in ("doubled", "out_of_order"):
            if result[name]:
                console.print(f"{label}: {result[name]} {name.replace('_', ' ')}")
        for kind, count in result["refused"].items():
            console.print(f"{label}: {count} handshakes failed: {kind}")
        closes = ", ".join(f"{n} × {code}" for code, n in result["closes"].items())
        console.print(f"{label}: closed with {closes}")


def what_gave(tally: Tally, wanted: int) -> str:
    """How many connections stood, and what stopped the next one, in plain words."""
    stood = len(tally.handshakes)
    if not tally.refused:
        return f"all {wanted:,} connections stood; try more with --clients."
    reason = next(iter(tally.refused))
    known = {
        "Too many open files": "This process may open no more: raise `ulimit -n`.",
        "Cannot assign requested address": "No local port is left: each connection "
        "from one address to one port takes one, and there are some 28,000.",
        "did not receive a valid HTTP response": "The server dropped the handshake: it "
        "may open no more files (`ulimit -n`), or its --backlog is full.",
        "TimeoutError": "The server did not answer in time: look at its CPU (a process "
        "uses one core) and its memory; more --workers need a broker.",
        "HTTP 503": "The server's --limit-concurrency is reached.",
    }
    told = (words for sign, words in known.items() if sign in reason)
    return f"{stood:,} connections stood. {next(told, 'The next failed.')} ({reason})"


def check_files(json_file: Path | None, plot_file: Path | None) -> None:
    """Find out before all the measuring whether its results can be written."""
    for file in filter(None, (json_file, plot_file)):
        if not file.parent.is_dir():
            raise CannotRun(f"{file}: there is no folder {file.parent}")
    if plot_file is None:
        return
    if plot_file.suffix not in {".png", ".svg", ".pdf"}:
        raise CannotRun(f"{plot_file}: a plot is a .png, .svg or .pdf")
    if importlib.util.find_spec("matplotlib") is None:
        raise CannotRun("--plot needs matplotlib: pip install matplotlib")


def plot(tallies: dict[str, Tally], file: Path) -> None:
    """Draw how long deliveries took, and how many came when."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for label, tally in tallies.items():
        ordered = sorted(tally.latencies)
        share = [(n + 1) / len(ordered) for n in range(len(ordered))]
        left.plot([1000 * x for x in ordered], share, label=label)
        first = min(tally.arrivals, default=0.0)
        right.hist(
            [x - first for x in tally.arrivals], bins=40, histtype="step", label=label
        )
    left.set(xscale="log", xlabel="latency, ms", ylabel="share of deliveries")
    right.set(xlabel="seconds", ylabel="deliveries")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center")
    figure.savefig(file, dpi=100)
    plt.close(figure)


def parse_options(given: list[str]) -> dict[str, Any]:
    """`ws-per-message-deflate=false` as a keyword of uvicorn.Config."""
    options = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"{each}: write it as name=value")
        try:
            options[name.replace("-", "_")] = json.loads(value)
        except ValueError:
            options[name.replace("-", "_")] = value
    return options


def main(
    app: Annotated[
        list[str] | None,
        typer.Option(help="module:app, a step of this recipe, or websockets"),
    ] = None,
    url: Annotated[str, typer.Option(help="a server that runs: ws://…/chatroom")] = "",
    clients: Annotated[int, typer.Option(min=1)] = 200,
    senders: Annotated[int, typer.Option(min=1)] = 10,
    messages: Annotated[int, typer.Option(min=1, help="of each sender")] = 50,
    size: Annotated[int, typer.Option(min=40, max=60_000, help="bytes")] = 100,
    rate: Annotated[
        float, typer.Option(min=0, help="a second of each sender; 0: flat out")
    ] = 0,
    in_flight: Annotated[
        int, typer.Option(min=1, help="flat out: own messages under way at once")
    ] = 4,
    stalled: Annotated[int, typer.Option(min=0, help="clients that never read")] = 0,
    batch: Annotated[bool, typer.Option(help="offer chat.batch.v1")] = False,
    compression: Annotated[bool, typer.Option(help="offer it, as browsers do")] = True,
    option: Annotated[
        list[str] | None, typer.Option(help="of uvicorn: ws-per-message-deflate=false")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1)] = 3,
    quiet: Annotated[
        bool,
        typer.Option(help="no notices of joining and leaving (this recipe's apps)"),
    ] = False,
    find_limit: Annotated[
        bool,
        typer.Option(help="raise the connections up to --clients, or till it breaks"),
    ] = False,
    storm: Annotated[
        bool, typer.Option(help="cut all clients, and have all come back at once")
    ] = False,
    seed: int = 1,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot")] = None,
) -> None:
    """Measure chats side by side. Clients run in a process of their own."""
    settings = Plan(
        url,
        None,
        clients,
        min(senders, clients),
        messages,
        size,
        rate,
        in_flight,
        stalled,
        batch,
        compression,
        seed,
        find_limit,
        storm,
    )
    quiet = quiet or find_limit
    try:
        check_files(json_file, plot_file)
    except CannotRun as reason:
        console.print(str(reason))
        raise typer.Exit(2) from None
    labels = [url] if url else app or ["step1_naive", "main", "websockets"]
    runs: dict[str, list[dict[str, Any]]] = {label: [] for label in labels}
    tallies: dict[str, Tally] = {}
    try:
        options = parse_options(option or [])
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for _ in range(repeat):
                for label in labels:
                    if url:
                        result = measure(settings, None, progress, label)
                    else:
                        # label@name=value: an option of this server alone
                        name, *own = label.split("@")
                        chosen = options | parse_options(own)
                        with serving(name, chosen, quiet) as (where, server):
                            plan = replace(settings, url=where.url, nonce=where.nonce)
                            result = measure(plan, server, progress, label)
                    figures, tallies[label] = result
                    runs[label].append(figures)
        results = {label: middle(each) for label, each in runs.items()}
        report(results)
        if quiet:
            console.print("Measured without notices of joining and leaving.")
        if find_limit:
            for label, tally in tallies.items():
                console.print(f"{label}: {what_gave(tally, clients)}")
        if json_file:
            json_file.write_text(json.dumps(results, indent=2), encoding="utf-8")
        if plot_file:
            plot(tallies, plot_file)
    except CannotRun as reason:
        console.print(str(reason))
        raise typer.Exit(2) from None
    if any(result["lost"] for result in results.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
