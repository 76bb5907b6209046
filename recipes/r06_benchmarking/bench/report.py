"""The figures of a measurement as tables, in words, and as a picture."""

import importlib.util
import statistics
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from recipes.r06_benchmarking.bench.load import Tally
from recipes.r06_benchmarking.bench.running import CannotRun

console = Console(highlight=False)


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of several runs; what was lost or refused is added up."""
    result: dict[str, Any] = {}
    for name, value in runs[0].items():
        values = [run[name] for run in runs]
        if name in {"lost", "doubled", "out_of_order", "expected", "received"}:
            result[name] = sum(values)
        elif isinstance(value, float):
            result[name] = statistics.median(values)
            if name == "cpu_us":  # how far the rounds lie apart
                result["cpu_us_spread"] = (max(values) - min(values)) / 2
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


def table(title: str, *columns: str) -> Table:
    result = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    result.add_column("", overflow="fold", no_wrap=False)  # a name is never cut
    for column in columns:
        result.add_column(column, justify="right", no_wrap=True)
    return result


def report(results: dict[str, dict[str, Any]]) -> None:
    """Print the figures; ratios are to the first server's CPU time."""
    first = next(iter(results.values()))
    costs = table(
        "Deliveries", "CPU, µs", "±", "ratio", "a second", "p50", "p99", "turn"
    )
    checks = table(
        "Handshakes, and what was lost", "p50", "p99", "KiB", "expected", "lost"
    )
    for label, result in results.items():
        costs.add_row(
            label,
            # Of a server that runs elsewhere (--url) nothing is known.
            f"{result['cpu_us']:.2f}" if result["cpu_us"] else "?",
            f"{result['cpu_us_spread']:.2f}",
            f"{result['cpu_us'] / (first['cpu_us'] or 1):.3f}",
            f"{result['deliveries_a_second']:,.0f}",
            *(f"{result['latency'][p]:.1f}" for p in ("p50", "p99")),
            f"{result['turn']:.0f}" if result["turn"] else "-",
        )
        checks.add_row(
            label,
            *(f"{result['handshakes'][p]:.1f}" for p in ("p50", "p99")),
            f"{result['kib_a_connection']:.0f}",
            f"{result['expected']:,}",
            f"{result['lost']:,}",
        )
    console.print(costs)
    console.print(
        "CPU: of the server, for each delivery; ±: half of how far the rounds lie "
        "apart. p50, p99, turn: ms. turn: the longest that one's echo took while "
        "another had sent thousands of texts at once. KiB: of the server, a connection."
    )
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
