"""`python -m recipes grade`: a class graded, shown while it happens, and reported."""

import signal
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from recipes.workbench.grading import gradescope, reports
from recipes.workbench.grading.grade import Grade, Grading, Options
from recipes.workbench.grading.isolation import PROTECTS
from recipes.workbench.grading.stage import Stages
from recipes.workbench.grading.take import Answer, of_one, take
from recipes.workbench.refusal import Refusal
from recipes.workbench.visible import visible

# Rows of the table on the terminal.
MOST_ROWS = 20


def run(
    folder: Path,
    out: Path,
    recipes: list[str],
    options: Options,
    alone: bool,
    console: Console,
) -> None:
    """Grade the answers in a folder and write the reports.

    Args:
        folder: of a class; with `alone` of one person.
        out: where the reports go; it is made if it is not there.
        alone: write Gradescope's report on one answer, and no others.

    Raises Refusal: something is not as it must be, and nothing was judged.
    """
    if not folder.is_dir():
        raise Refusal(f"There is no folder {folder}.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise Refusal("The reports cannot lie in the folder of the class: --out DIR.")
    answers = of_one("answer", folder, recipes) if alone else take(folder, recipes)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    grading = Grading(answers, recipes, folder, out, options)
    # Whoever ends it, it ends what it started.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stages() as stages:
            grading.prepare(stages)
            name = grading.isolation.name
            console.print(f"Isolation: {name}. {PROTECTS[name]}")
            grades = followed(grading, stages, console)
    except KeyboardInterrupt:
        console.print("Ended. The same command goes on from here.")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    order = {(a.name, a.recipe): number for number, a in enumerate(answers)}
    grades.sort(key=lambda grade: order[grade.name, grade.recipe])
    if alone:
        (out / "results.json").write_text(
            gradescope.results(grades, name), encoding="utf-8"
        )
    else:
        reports.write(grades, recipes, name, out)
    for grade in grades:
        if grade.differs:
            differs = f"{shown(grade.name)} {grade.recipe}: {', '.join(grade.differs)}"
            console.print(f"Judged differently from time to time: {differs}")
    console.print(f"Reports: {escape(visible(str(out), keep=''))}")


def followed(grading: Grading, stages: Stages, console: Console) -> list[Grade]:
    """All grades; each is shown as soon as it is known."""
    grades: list[Grade] = []
    if not console.is_terminal:
        for grade in grading.grades(stages):
            grades.append(grade)
            console.print(
                f"{shown(grade.name)} {grade.recipe} {grade.passed} of {grade.total}"
            )
        return grades
    with Live(console=console, refresh_per_second=4) as live:
        for grade in grading.grades(stages):
            grades.append(grade)
            live.update(table(grades, grading.answers, grading.recipes))
    return grades


def shown(name: str) -> str:
    """A name as it is printed: in a line, and not too long a one."""
    text = visible(name, keep="")
    return escape(text if len(text) <= 60 else f"{text[:57]}…")


def table(
    grades: Sequence[Grade], answers: Sequence[Answer], recipes: list[str]
) -> Table:
    """Those that changed last, with the passed tasks of each recipe."""
    done = f"{len(grades)} of {len(answers)} answers"
    drawn = Table("name", *(recipe.partition("_")[0] for recipe in recipes), title=done)
    found = {(grade.name, grade.recipe): grade for grade in grades}
    for name in list(dict.fromkeys(g.name for g in reversed(grades)))[:MOST_ROWS]:
        row = []
        for recipe in recipes:
            grade = found.get((name, recipe))
            if grade is None:
                row.append("…")
            else:
                color = "green" if grade.passed == grade.total else "red"
                row.append(f"[{color}]{grade.passed}/{grade.total}[/]")
        drawn.add_row(shown(name), *row)
    return drawn
