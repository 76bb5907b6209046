"""The commands of `python -m recipes`.

Nothing is remembered between two runs: how far you are is computed by judging what
lies in the exercise files.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from watchfiles import watch as changes

from recipes.workbench import catalog
from recipes.workbench.judge import Verdict, judge

app = typer.Typer(
    help="Check your exercises, get hints, see solutions, start over.",
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)


def known(name: str | None) -> str | None:
    """The recipe that was meant; a bad parameter says which there are."""
    try:
        return name and catalog.find(name)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None


Recipe = Annotated[
    str | None,
    typer.Argument(
        callback=known, metavar="[RECIPE]", help="r03, 3, disconnects or the whole name"
    ),
]


def begun(recipe: str) -> bool:
    """Whether the exercise is no longer the starter, of which every task fails."""
    file = catalog.exercise(recipe)
    return file.is_file() and file.read_bytes() != catalog.starter(recipe).read_bytes()


def mine(recipe: str) -> list[Verdict]:
    """Judge the learner's own answer."""
    return judge(recipe, catalog.RECIPES)


def passed(verdicts: list[Verdict]) -> bool:
    return all(verdict.passed for verdict in verdicts)


def in_turn() -> str:
    """The first recipe whose exercise is not passed; the last if all are."""
    recipes = catalog.recipes()
    for recipe in recipes:
        if not begun(recipe) or not passed(mine(recipe)):
            return recipe
    return recipes[-1]


def show(recipe: str, verdicts: list[Verdict]) -> None:
    """The tasks with their marks, the first failure in full, and the next step."""
    console.print(f"[bold]{recipe}[/] {escape(catalog.title(recipe))}")
    for verdict in verdicts:
        mark = "[green]passed[/]" if verdict.passed else "[red]failed[/]"
        level = "" if verdict.task.level == "core" else f" ({verdict.task.level})"
        console.print(f"  {mark}  {escape(verdict.task.title)}{level}")
    failure = next((verdict for verdict in verdicts if not verdict.passed), None)
    if failure is not None:
        console.print(f"\n{escape(failure.failure)}\n")
        console.print(
            f"Next: edit {catalog.exercise(recipe).relative_to(catalog.ROOT)}"
        )
        console.print(f"Hint: python -m recipes hint {recipe}")
        return
    later = [r for r in catalog.recipes() if r > recipe]
    console.print("\nAll passed.")
    if catalog.solution(recipe).is_file():
        console.print(f"Compare: python -m recipes solution {recipe}")
    if later:
        console.print(f"Next: recipes/{later[0]}/README.md")


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Without a command: your progress and the next step."""
    if context.invoked_subcommand is None:
        progress()


@app.command()
def progress() -> None:
    """Show all recipes and how far you are, by judging your exercises."""
    recipes = catalog.recipes()
    next_one = None
    with ThreadPoolExecutor(2) as pool, console.status("Judging your exercises…"):
        running = {r: pool.submit(mine, r) for r in recipes if begun(r)}
        verdicts = {r: future.result() for r, future in running.items()}
    for recipe in recipes:
        if recipe not in verdicts:
            state = "not begun"
        else:
            done = sum(verdict.passed for verdict in verdicts[recipe])
            state = f"{done} of {len(verdicts[recipe])} tasks"
        if recipe not in verdicts or not passed(verdicts[recipe]):
            next_one = next_one or recipe
        console.print(f"{recipe:20} {state:14} {escape(catalog.title(recipe))}")
    if next_one is None:
        console.print("\nAll exercises are passed.")
    else:
        console.print(f"\nNext: read recipes/{next_one}/README.md, do its exercise,")
        console.print(f"      python -m recipes check {next_one}")


@app.command()
def check(recipe: Recipe = None) -> None:
    """Judge your exercise and say the next step. Exit status 1: not all passed."""
    name = recipe or in_turn()
    with console.status(f"Judging {name}…"):
        verdicts = mine(name)
    show(name, verdicts)
    raise typer.Exit(0 if passed(verdicts) else 1)


@app.command()
def watch(recipe: Recipe = None) -> None:
    """Judge your exercise at every save, until Ctrl-C."""
    name = recipe or in_turn()
    for _ in saves(catalog.exercise(name)):
        console.rule()
        show(name, mine(name))
        console.print("\nWaiting for you to save; Ctrl-C ends.")


def saves(file: Path) -> Iterator[None]:
    """Now, and whenever `file` is written; editors may replace it by another."""
    yield None
    for changed in changes(file.parent, recursive=False, raise_interrupt=False):
        if any(Path(path).name == file.name for _, path in changed):
            yield None


@app.command()
def hint(
    recipe: Recipe = None,
    n: Annotated[int, typer.Argument(min=1, help="from a nudge to the answer")] = 1,
) -> None:
    """Give the n-th hint of the first task that is not passed."""
    name = recipe or in_turn()
    task = next((v.task for v in mine(name) if not v.passed), None)
    if task is None:
        console.print(f"{name}: all passed, there is nothing to hint at.")
        return
    console.print(f"[bold]{escape(task.title)}[/]")
    if n > len(task.hints):
        console.print(f"There are {len(task.hints)} hints; this is the last.")
    n = min(n, len(task.hints))
    console.print(f"Hint {n} of {len(task.hints)}: {escape(task.hints[n - 1])}")


@app.command()
def solution(
    recipe: Recipe = None,
    anyway: Annotated[bool, typer.Option(help="before you have passed")] = False,
) -> None:
    """Show the reference answer, once you have passed."""
    name = recipe or in_turn()
    file = catalog.solution(name)
    if not file.is_file():
        console.print("This edition of the workbook has no solutions.")
        raise typer.Exit(1)
    if not anyway and not passed(mine(name)):
        console.print(f"{name} is not passed yet. With --anyway you may look.")
        raise typer.Exit(1)
    text = file.read_text(encoding="utf-8")
    if console.is_terminal:
        console.print(Syntax(text, "python", word_wrap=True))
    else:
        print(text, end="")


@app.command()
def reset(recipe: Recipe) -> None:
    """Put the starter back, and keep a copy of your work."""
    assert recipe is not None
    file = catalog.exercise(recipe)
    if begun(recipe):
        names = (f"exercise_before_reset_{n}.py" for n in count(1))
        copy = next(c for name in names if not (c := file.with_name(name)).exists())
        shutil.copy(file, copy)
        console.print(f"Your work is kept in {copy.relative_to(catalog.ROOT)}")
    shutil.copy(catalog.starter(recipe), file)
    console.print(f"{file.relative_to(catalog.ROOT)} is as it was given.")
