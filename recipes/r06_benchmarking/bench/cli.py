"""The command line of `compare`."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from recipes.r06_benchmarking.bench.load import Plan, Tally
from recipes.r06_benchmarking.bench.report import (
    check_files,
    console,
    middle,
    plot,
    report,
    what_gave,
)
from recipes.r06_benchmarking.bench.running import CannotRun, measure, serving


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


def in_turns(labels: list[str], repeat: int) -> Iterator[str]:
    """The servers in the order in which they are measured.

    Another begins in each round: whoever is first finds another machine than the next.
    """
    for number in range(repeat):
        first = number % len(labels)
        yield from labels[first:] + labels[:first]


def main(
    app: Annotated[
        list[str] | None,
        typer.Option(help="module:app, a step, websockets, node or write"),
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
    burst: Annotated[
        int, typer.Option(min=0, max=3_000, help="texts that one then writes at once")
    ] = 2_000,
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
        0 if find_limit else burst,
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
            for label in in_turns(labels, repeat):
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
