"""The exercises' desk: one is judged, hinted at, solved or started over."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from recipes.workbench import catalog
from recipes.workbench.desk import Call, Desk, Line, News
from recipes.workbench.exercises import practice
from recipes.workbench.exercises.attempt import Exercises
from recipes.workbench.refusal import Refusal


class Check(Call):
    """Judge the exercise now."""

    do: Literal["check"]


class Hint(Call):
    """The n-th hint of the first task that is not passed."""

    do: Literal["hint"]
    n: int = Field(ge=1)


class Solution(Call):
    """The reference answer."""

    do: Literal["solution"]
    anyway: bool = False


class Reset(Call):
    """The starter again; a copy of the work is kept."""

    do: Literal["reset"]


ExerciseCall = Check | Hint | Solution | Reset


@dataclass
class HintShown(News):
    """A hint: number `n` of the `total` hints of a task."""

    task: str
    n: int
    total: int
    text: str
    tell: Literal["hint"] = "hint"


@dataclass
class SolutionShown(News):
    """The solution; empty if the exercise is not passed and one has to insist."""

    html: str
    tell: Literal["solution"] = "solution"


@dataclass
class ResetDone(News):
    """The starter is there again, and the work `kept` in a file, if there was any."""

    kept: str
    tell: Literal["reset"] = "reset"


@dataclass
class ProgressShown(News):
    """How far the exercise of a recipe is."""

    recipe: str
    state: str
    passed: int
    total: int
    tell: Literal["progress"] = "progress"


@dataclass
class Judged(News):
    """How many exercises are yet to be judged for the progress."""

    sentence: str
    tell: Literal["judging"] = "judging"


class ExerciseDesk(Desk):
    """Where a page asks about an exercise; for the contents, how far each is.

    `coloured` makes HTML of source text in a language.
    """

    def __init__(
        self, line: Line, exercises: Exercises, coloured: Callable[[str, str], str]
    ) -> None:
        super().__init__(line)
        self._exercises = exercises
        self._coloured = coloured

    def open(self, recipe: str) -> None:
        super().open(recipe)
        if recipe:
            self.line.in_background(self._exercises.of(recipe).look())
        else:
            self.tell_progress(catalog.recipes())

    def take(self, call: ExerciseCall) -> None:
        match call:
            case Check():
                work = self._exercises.of(self.recipe).check()
            case Hint():
                work = self._hint(call.n)
            case Solution():
                work = self._solution(call.anyway)
            case Reset():
                work = self._reset()
        self.line.in_background(work)

    def news(self) -> Iterator[News]:
        if self.recipe:
            yield from self.if_new("exercise", self._exercises.of(self.recipe).shown())

    async def _hint(self, n: int) -> None:
        hint = await asyncio.to_thread(practice.hint, self.recipe, n)
        if hint is None:
            raise Refusal("All tasks are passed: there is nothing to hint at.")
        self.line.tell(HintShown(hint.task.title, hint.n, hint.total, hint.text))

    async def _solution(self, anyway: bool) -> None:
        html = ""
        try:
            text = await asyncio.to_thread(practice.solution, self.recipe, anyway)
            html = self._coloured(text, "python")
        except practice.NoSolutions:
            raise Refusal("This edition of the workbook has no solutions.") from None
        except practice.NotPassed:
            pass
        self.line.tell(SolutionShown(html))

    async def _reset(self) -> None:
        try:
            kept = await asyncio.to_thread(practice.reset, self.recipe)
        except OSError as error:
            raise Refusal(f"Nothing was changed: {error.strerror}.") from None
        name = kept.relative_to(catalog.ROOT).as_posix() if kept else ""
        self.line.tell(ResetDone(name))

    def tell_progress(self, recipes: list[str]) -> None:
        """Tell how far these are, each as soon as that is known."""
        waiting = set(recipes)

        async def tell(recipe: str) -> None:
            progress = await self._exercises.progress(recipe)
            waiting.discard(recipe)
            done, total = progress.done, progress.total
            self.line.tell(ProgressShown(recipe, progress.words, done, total))
            rest = f"Judging your exercises: {len(waiting)} to go." if waiting else ""
            self.line.tell(Judged(rest))

        for recipe in recipes:
            self.line.in_background(tell(recipe))
