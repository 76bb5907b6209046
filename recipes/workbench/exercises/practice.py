"""A learner's exercises: how far each is, hints, solutions, and starting over.

How far you are is computed by judging what lies in the exercise file. Verdicts are kept
in CACHE only under a hash of all that they depend on, so that a changed exercise has no
old ones. All of this may be called from any thread.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Judging, Verdict
from recipes.workbench.refusal import Refusal
from recipes.workbench.tasks import Task

CACHE = catalog.ROOT / ".workbench_cache"
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
    before = State.of(recipe)
    with Judging(recipe, catalog.RECIPES) as running:
        RUNNING.add(running)
        try:
            yield running
        finally:
            RUNNING.discard(running)
    # Trouble may be gone the next time; and a save meanwhile, even one that was taken
    # back, leaves open which of the two the verdicts are about.
    if not running.trouble and State.of(recipe) == before:
        remember(recipe, before.key, running.verdicts())


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
    known = remembered(recipe)
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


def keep(file: Path) -> Path:
    """Copy the exercise to the next free name beside it."""
    for n in count(1):
        copy = file.with_name(f"exercise_before_reset_{n}.py")
        # "x" fails if somebody else has taken the name meanwhile.
        with contextlib.suppress(FileExistsError), copy.open("xb") as new:
            new.write(file.read_bytes())
            return copy
    raise AssertionError("there is always a free name")


# What is remembered


class State(NamedTuple):
    """What verdicts depend on, as a hash, and when the exercise was saved."""

    key: str
    saved: int

    @classmethod
    def of(cls, recipe: str) -> "State":
        try:
            saved = catalog.exercise(recipe).stat().st_mtime_ns
        except OSError:
            saved = 0
        return cls(key_of(recipe), saved)


def key_of(recipe: str) -> str:
    """A hash of everything that the verdicts on a recipe's exercise depend on."""
    seen = hashlib.sha256()
    # The folder, since failures name files.
    told = [sys.version, str(catalog.ROOT), os.environ.get("WORKBOOK_TEST_SECONDS", "")]
    for text in told:
        seen.update(f"{len(text)} {text}\n".encode())
    for file in sorted(sources(recipe)):
        with contextlib.suppress(OSError):
            data = file.read_bytes()
            name = file.relative_to(catalog.ROOT).as_posix()
            seen.update(f"{name} {len(data)}\n".encode() + data)
    return seen.hexdigest()


def sources(recipe: str) -> Iterator[Path]:
    """The files that verdicts depend on: the recipe's, its tests, and the judge."""
    yield catalog.tests(recipe)
    yield from (catalog.ROOT / name for name in ("pyproject.toml", "requirements.txt"))
    yield catalog.RECIPES / "__init__.py"
    yield from (catalog.RECIPES / "workbench").rglob("*.py")
    folder = catalog.RECIPES / recipe
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        if file.suffix not in {".md", ".png", ".pyc"} and not any(map(is_aside, parts)):
            yield file


def is_aside(name: str) -> bool:
    """Whether it is a copy of a reset's, or of an editor's or the system's making."""
    return name.startswith((".", "exercise_before_reset_")) or name.endswith("~")


def remembered(recipe: str) -> list[Verdict] | None:
    """The verdicts on the exercise as it is now, if they are known."""
    try:
        kept = json.loads((CACHE / f"{recipe}.json").read_bytes())
        if kept["key"] != key_of(recipe):
            return None
        return [verdict_from(each) for each in kept["verdicts"]] or None
    # Not there, or not ours: then it is judged.
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def verdict_from(kept: Any) -> Verdict:
    """Raises ValueError, TypeError or KeyError for what `remember` has not written."""
    task, failure = kept
    if not isinstance(failure, str):
        raise TypeError
    return Verdict(Task.model_validate(task), failure)


def remember(recipe: str, key: str, verdicts: list[Verdict]) -> None:
    """Keep the verdicts for the state of the files that `key` stands for."""
    told = [[v.task.model_dump(by_alias=True), v.failure] for v in verdicts]
    text = json.dumps({"key": key, "verdicts": told}, indent=1)
    # Where nothing can be written, nothing is remembered.
    with contextlib.suppress(OSError):
        CACHE.mkdir(exist_ok=True)
        write(CACHE / f"{recipe}.json", text)


def write(file: Path, text: str) -> None:
    """Write a file as a whole or not at all: others may read it meanwhile."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as new:
            new.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
