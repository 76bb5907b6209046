"""The commands of `python -m recipes`: what `practice.py` finds, printed."""

import contextlib
import os
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from watchfiles import watch as changes

from recipes.workbench import catalog
from recipes.workbench.exercises import catch, practice
from recipes.workbench.exercises.judge import Begun, Judging, Verdict

app = typer.Typer(
    help="The workbook on one page; or check your exercises, get hints, start over.",
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


def judged(recipe: str) -> list[Verdict]:
    """Judge the learner's answer, and show what comes of it."""
    with practice.judging(recipe) as judging:
        if not console.is_terminal:
            verdicts = judging.verdicts()
            show_marks(recipe, verdicts)
        else:
            verdicts = watched(recipe, judging)
    show_next(recipe, verdicts)
    return verdicts


def watched(recipe: str, judging: Judging) -> list[Verdict]:
    """Show the tasks one by one, as their tests end."""
    told: list[Verdict] = []
    show_title(recipe)
    with console.status(f"Judging {recipe}…") as status:
        for news in judging.news():
            if isinstance(news, Begun):
                status.update(escape(news.task.title))
            else:
                show_mark(news)
                told.append(news)
        verdicts = judging.verdicts()
    # The last word is the report's, should the news have been something else.
    if [(v.task, v.passed) for v in told] != [(v.task, v.passed) for v in verdicts]:
        console.print()
        show_marks(recipe, verdicts)
    return verdicts


def show_title(recipe: str) -> None:
    console.print(f"[bold]{recipe}[/] {escape(catalog.title(recipe))}")


def show_mark(verdict: Verdict) -> None:
    mark = "[green]passed[/]" if verdict.passed else "[red]failed[/]"
    level = "" if verdict.task.level == "core" else f" ({verdict.task.level})"
    console.print(f"  {mark}  {escape(verdict.task.title)}{level}")


def show_marks(recipe: str, verdicts: list[Verdict]) -> None:
    """The tasks with their marks."""
    show_title(recipe)
    for verdict in verdicts:
        show_mark(verdict)


def show_next(recipe: str, verdicts: list[Verdict]) -> None:
    """The first failure in full, and the next step."""
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
def start(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="where to serve; 0: any free port")
    ] = 8700,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="open the page in a browser")
    ] = True,
    allow_remote: Annotated[
        bool, typer.Option(help="let the consoles connect to other machines")
    ] = False,
) -> None:
    """Without a command: open the page with all recipes, until Ctrl-C."""
    if context.invoked_subcommand is None:
        open_page(port, browser, allow_remote)


def open_page(port: int, browser: bool, allow_remote: bool) -> None:
    """Serve the page; status 1 if the port is taken and no other is wanted."""
    # Imported here: the other commands need not wait for it.
    from recipes.workbench.page import serve as web

    try:
        listener = web.bind(port)
    except OSError as error:
        console.print(f"Port {port} cannot be had: {error.strerror}.")
        free = web.free_port(port)
        if not (sys.stdin.isatty() and typer.confirm(f"Use {free}?", default=True)):
            console.print(f"Port {free} is free: python -m recipes --port {free}")
            raise typer.Exit(1) from None
        listener = web.bind(free)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def ready() -> None:
        print(f"The workbook is at {address}", flush=True)
        print("Ctrl-C ends it, and every server that it started.", flush=True)
        if browser:
            # A browser may take seconds to come, and the page is needed for it.
            thread = Thread(target=webbrowser.open, args=(address,), daemon=True)
            thread.start()

    with contextlib.suppress(KeyboardInterrupt):
        web.serve(listener, ready, allow_remote)
    print("Ended.")


@app.command()
def progress() -> None:
    """Show all recipes and how far you are, by judging your exercises."""
    with console.status("Judging your exercises…"):
        every = practice.progress()
    for each in every:
        title = escape(catalog.title(each.recipe))
        console.print(f"{each.recipe:20} {escape(each.words):14} {title}")
    next_one = next((each.recipe for each in every if not each.passed), None)
    if next_one is None:
        console.print("\nAll exercises are passed.")
    else:
        console.print(f"\nNext: read recipes/{next_one}/README.md, do its exercise,")
        console.print(f"      python -m recipes check {next_one}")


def chosen(recipe: str | None) -> str:
    """The recipe that was named, else the next in turn."""
    if recipe:
        return recipe
    with console.status("Judging your exercises…"):
        return practice.next_recipe()


@app.command()
def check(recipe: Recipe = None) -> None:
    """Judge your exercise and say the next step. Exit status 1: not all passed."""
    name = chosen(recipe)
    verdicts = judged(name)
    caught = show_catch(name)
    raise typer.Exit(0 if practice.passed(verdicts) and caught else 1)


def show_catch(recipe: str) -> bool:
    """Judge the learner's own test, once it is begun; False if it does not catch."""
    if not catch.begun(recipe):
        return True
    with console.status("Running your test…"):
        caught = catch.judge_catch(recipe, catalog.catch(recipe))
    assert caught is not None
    mark = "[green]passed[/]" if caught.passed else "[red]failed[/]"
    console.print(f"\n  {mark}  {escape(caught.catch.title)}")
    if not caught.passed:
        console.print(f"\n{escape(caught.failure)}")
        console.print(f"Hint: {escape(caught.catch.hint)}")
    return caught.passed


@app.command()
def watch(recipe: Recipe = None) -> None:
    """Judge your exercise at every save, until Ctrl-C."""
    name = chosen(recipe)
    for _ in saves(catalog.exercise(name)):
        console.rule()
        judged(name)
        console.print("\nWaiting for you to save; Ctrl-C ends.")


def saves(file: Path) -> Iterator[None]:
    """Now, and whenever `file` is written; editors may replace it by another."""
    watching = changes(
        file.parent,
        recursive=False,
        raise_interrupt=False,
        rust_timeout=100,
        yield_on_timeout=True,
    )
    # The first time it is watched already, so that no save can be missed.
    for number, changed in enumerate(watching):
        if number == 0 or any(Path(path).name == file.name for _, path in changed):
            yield None


@app.command()
def hint(
    recipe: Recipe = None,
    n: Annotated[int, typer.Argument(min=1, help="from a nudge to the answer")] = 1,
) -> None:
    """Give the n-th hint of the first task that is not passed."""
    name = chosen(recipe)
    found = practice.hint(name, n)
    if found is None:
        console.print(f"{name}: all passed, there is nothing to hint at.")
        return
    console.print(f"[bold]{escape(found.task.title)}[/]")
    if n > found.total:
        console.print(f"There are {found.total} hints; this is the last.")
    console.print(f"Hint {found.n} of {found.total}: {escape(found.text)}")


@app.command()
def solution(
    recipe: Recipe = None,
    anyway: Annotated[bool, typer.Option(help="before you have passed")] = False,
) -> None:
    """Show the reference answer, once you have passed."""
    name = chosen(recipe)
    try:
        text = practice.solution(name, anyway)
    except practice.NoSolutions:
        console.print("This edition of the workbook has no solutions.")
        raise typer.Exit(1) from None
    except practice.NotPassed:
        console.print(f"{name} is not passed yet. With --anyway you may look.")
        raise typer.Exit(1) from None
    if console.is_terminal:
        console.print(Syntax(text, "python", word_wrap=True))
    else:
        print(text, end="")


@app.command()
def reset(recipe: Recipe) -> None:
    """Put the starter back, and keep a copy of your work."""
    assert recipe is not None
    for copy in (practice.reset(recipe), practice.reset_test(recipe)):
        if copy is not None:
            console.print(f"Your work is kept in {copy.relative_to(catalog.ROOT)}")
    file = catalog.exercise(recipe)
    console.print(f"{file.relative_to(catalog.ROOT)} is as it was given.")


@app.command()
def grade(
    class_dir: Annotated[
        Path, typer.Argument(help="a folder for each name, or a zip file for each")
    ],
    out: Annotated[Path, typer.Option(help="where the reports go")],
    only: Annotated[
        list[str] | None, typer.Option(help="a recipe; may be given several times")
    ] = None,
    isolation: Annotated[str, typer.Option(help="auto, bwrap, user or none")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust", help="run answers even without isolation")
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", min=1, max=64, help="answers at a time")
    ] = 2 * (os.cpu_count() or 1),
    hidden: Annotated[
        Path | None, typer.Option(help="a folder with tests of your own")
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=1, max=20, help="judge each so many times, and compare")
    ] = 1,
    gradescope: Annotated[
        bool, typer.Option("--gradescope", help="one answer, reported for Gradescope")
    ] = False,
) -> None:
    """Grade a class, each answer kept apart from everything else."""
    # Imported here: the other commands need not wait for it.
    from recipes.workbench.grading import command
    from recipes.workbench.grading.grade import Options

    if isolation not in {"auto", "bwrap", "user", "none"}:
        raise typer.BadParameter("--isolation is auto, bwrap, user or none.")
    wanted = {known(name) for name in only or []}
    recipes = [r for r in catalog.recipes() if not wanted or r in wanted]
    options = Options(isolation, trust, jobs, hidden, repeat)
    try:
        command.run(class_dir, out, recipes, options, gradescope, console)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
