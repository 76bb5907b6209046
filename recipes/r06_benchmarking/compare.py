"""Measure one or more chats side by side, in one run.

    python -m recipes.r06_benchmarking.compare --help

Servers take turns, and every round measures each of them, so that what else the machine
does falls on all alike. Exit status: 1 if a message was lost, 2 if it could not run.
The tool itself is in `bench/`.
"""

import typer

from recipes.r06_benchmarking.bench.cli import main

if __name__ == "__main__":
    typer.run(main)
