"""A learner's exercises: how far each is, hints, solutions, and starting over.

How far you are is computed by judging what lies in the exercise file. Verdicts are kept
only under a hash of all that they depend on, so that a changed exercise has no
old ones. All of this may be called from any thread.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import NamedTuple

from recipes.workbench import catalog
from recipes.workbench.exercises import catch, remembered
from recipes.workbench.exercises.judge import Judging, Verdict
from recipes.workbench.refusal import Refusal
from recipes.workbench.tasks import Task, tasks

# Answers that are judged at a time, for the progress.
SIDE_BY_SIDE = 2
# The judgings that run now, of all threads.
RUNNING: set[Judging] = set()


class NoSolutions(Exception):
    """This edition of the workbook has no solutions."""


class NotPassed(Exception):
    """The exercise is not passed yet, so its solution is not shown."""


class Hint(NamedTuple):
    """A hint: number `n` of the `total` hints of a task, which count from 1."""

    task: Task
    n: int
    total: int
    text: str


class Progress(NamedTuple):
    """How far the exercise of a recipe is: `done` of `total` tasks are passed.

    `begun` is False for the starter as it was given; `total` is 0 then, as it is with
    `trouble`, which is why it cannot be judged.
    """

    recipe: str
    begun: bool
    done: int = 0
    total: int = 0
    trouble: str = ""

    @property
    def passed(self) -> bool:
        return self.begun and not self.trouble and self.done == self.total

    @property
    def words(self) -> str:
        """How far it is, as it is shown."""
        judged = f"{self.done} of {self.total} tasks" if self.begun else "not begun"
        return self.trouble or judged


def begun(recipe: str) -> bool:
    """Whether the exercise is no longer the starter, of which every task fails."""
    file = catalog.exercise(recipe)
    return file.is_file() and file.read_bytes() != catalog.starter(recipe).read_bytes()


def passed(verdicts: list[Verdict]) -> bool:
    return all(verdict.passed for verdict in verdicts)


# Judging


@contextlib.contextmanager
def judging(recipe: str) -> Iterator[Judging]:
    """Judge the learner's answer anew, and remember the verdicts when it is over."""
    before = remembered.State.of(recipe)
    with Judging(recipe, catalog.RECIPES) as running:
        RUNNING.add(running)
        try:
            yield running
        finally:
            RUNNING.discard(running)
    # Trouble may be gone the next time; and a save meanwhile, even one that was taken
    # back, leaves open which of the two the verdicts are about.
    if not running.trouble and remembered.State.of(recipe) == before:
        remembered.remember(recipe, before.key, running.verdicts())


def cancel_all() -> None:
    """Cancel the judgings of all threads, before this process ends."""
    for running in RUNNING.copy():
        running.cancel()


def mine(recipe: str) -> list[Verdict]:
    """Judge the learner's answer anew."""
    with judging(recipe) as running:
        return running.verdicts()


def standing(recipe: str) -> list[Verdict]:
    """The verdicts on the learner's answer, judged only if they are not known."""
    known = remembered.known(recipe)
    return mine(recipe) if known is None else known


# Around the exercises


def next_recipe() -> str:
    """The first recipe whose exercise is not passed; the last if all are."""
    recipes = catalog.recipes()
    for recipe in recipes:
        if not begun(recipe) or not passed(standing(recipe)):
            return recipe
    return recipes[-1]


def progress() -> list[Progress]:
    """How far the exercise of each recipe is."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        try:
            return list(pool.map(progress_of, catalog.recipes()))
        except KeyboardInterrupt:
            cancel_all()  # the pool waits for its threads
            raise


def progress_of(recipe: str) -> Progress:
    """How far the exercise of one recipe is."""
    if not begun(recipe):
        return Progress(recipe, begun=False)
    try:
        verdicts = standing(recipe)
    except Refusal as refusal:
        return Progress(recipe, begun=True, trouble=str(refusal))
    done = sum(verdict.passed for verdict in verdicts)
    return Progress(recipe, True, done, len(verdicts))


def hint(recipe: str, n: int = 1) -> Hint | None:
    """The n-th hint of the first task that is not passed; the last if there are fewer.

    None if all tasks are passed.
    """
    task = next((v.task for v in standing(recipe) if not v.passed), None)
    if task is None:
        return None
    return hint_at(task, n)


def hint_of(recipe: str, name: str, n: int) -> Hint:
    """The n-th hint of a task; the last if there are fewer. Raises Refusal."""
    for task in tasks(recipe):
        if task.name == name:
            return hint_at(task, n)
    raise Refusal(f"{recipe} has no task {name!r}.")


def hint_at(task: Task, n: int) -> Hint:
    """A task's n-th hint, or the nearest to that."""
    total = len(task.hints)
    n = max(1, min(n, total))
    return Hint(task, n, total, task.hints[n - 1])


def solution(recipe: str, anyway: bool = False) -> str:
    """The text of the reference answer, for who has passed.

    Raises NoSolutions; and NotPassed, unless it shall be shown `anyway`.
    """
    file = catalog.solution(recipe)
    if not file.is_file():
        raise NoSolutions
    if not anyway and not passed(standing(recipe)):
        raise NotPassed
    return file.read_text(encoding="utf-8")


def reset(recipe: str) -> Path | None:
    """Put the starter back. Returns where the learner's work is kept, if there is any.

    Raises OSError, and then the work is where it was.
    """
    copy = keep(catalog.exercise(recipe)) if begun(recipe) else None
    catalog.exercise(recipe).write_bytes(catalog.starter(recipe).read_bytes())
    return copy


def reset_test(recipe: str) -> Path | None:
    """As `reset`, for the test that a learner writes, where a recipe has one."""
    if not catch.begun(recipe):
        return None
    file = catalog.catch(recipe)
    copy = keep(file, "test_")
    file.write_bytes((catalog.STARTERS / recipe / file.name).read_bytes())
    return copy


def keep(file: Path, kind: str = "") -> Path:
    """Copy the exercise to the next free name beside it."""
    for n in count(1):
        copy = file.with_name(f"exercise_before_reset_{kind}{n}.py")
        # "x" fails if somebody else has taken the name meanwhile.
        with contextlib.suppress(FileExistsError), copy.open("xb") as new:
            new.write(file.read_bytes())
            return copy
    raise AssertionError("there is always a free name")
