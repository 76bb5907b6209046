"""The exercises' desk: one is written, judged, hinted at, solved or started over."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from recipes.workbench import catalog
from recipes.workbench.desk import Call, Desk, Line, News
from recipes.workbench.exercises import file, practice
from recipes.workbench.exercises.attempt import Exercises
from recipes.workbench.exercises.editors import open_in_editor
from recipes.workbench.refusal import Refusal


class Check(Call):
    """Judge the exercise now."""

    do: Literal["check"]


class Save(Call):
    """Write the exercise, which was `base` when the page saw it last, and judge it."""

    do: Literal["save"]
    text: str
    base: str = Field(max_length=64)


class Edit(Call):
    """Open the exercise in the learner's own editor."""

    do: Literal["edit"]


class Hint(Call):
    """The n-th hint of a task."""

    do: Literal["hint"]
    task: str = Field(max_length=200)
    n: int = Field(ge=1)


class Solution(Call):
    """The reference answer."""

    do: Literal["solution"]
    anyway: bool = False


class Reset(Call):
    """The starter again; a copy of the work is kept."""

    do: Literal["reset"]


ExerciseCall = Check | Save | Edit | Hint | Solution | Reset


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
    """The solution, and the exercise `beside` it as a diff of (sign, line).

    Both are empty if the exercise is not passed and one has to insist.
    """

    html: str
    beside: list[tuple[str, str]]
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
        # The file is read and told in turn: the newest comes last.
        self._turn = asyncio.Lock()

    def open(self, recipe: str) -> None:
        super().open(recipe)
        if recipe:
            self.line.in_background(self._tell_source())
            self.line.in_background(self._exercises.of(recipe).look())
        else:
            self.tell_progress(catalog.recipes())

    def take(self, call: ExerciseCall) -> None:
        match call:
            case Check():
                work = self._exercises.of(self.recipe).check()
            case Save():
                work = self._save(call.text, call.base)
            case Edit():
                work = asyncio.to_thread(open_in_editor, catalog.exercise(self.recipe))
            case Hint():
                work = self._hint(call.task, call.n)
            case Solution():
                work = self._solution(call.anyway)
            case Reset():
                work = self._reset()
        self.line.in_background(work)

    def news(self) -> Iterator[News]:
        if self.recipe:
            yield from self.if_new("exercise", self._exercises.of(self.recipe).shown())

    def saved(self, files: list[str]) -> None:
        """Files of the recipe were saved, by this page or by others."""
        if catalog.exercise(self.recipe).name in files:
            self.line.in_background(self._tell_source())

    async def _tell_source(self) -> None:
        async with self._turn:
            self.line.tell(await asyncio.to_thread(file.read, self.recipe))

    async def _save(self, text: str, base: str) -> None:
        async with self._turn:
            done = await asyncio.to_thread(file.save, self.recipe, text, base)
            if done.outcome == "changed":
                self.line.tell(await asyncio.to_thread(file.read, self.recipe))
            self.line.tell(done)

    async def _hint(self, task: str, n: int) -> None:
        hint = await asyncio.to_thread(practice.hint_of, self.recipe, task, n)
        self.line.tell(HintShown(hint.task.name, hint.n, hint.total, hint.text))

    async def _solution(self, anyway: bool) -> None:
        html, beside = "", []
        try:
            text = await asyncio.to_thread(practice.solution, self.recipe, anyway)
            html = self._coloured(text, "python")
            beside = await asyncio.to_thread(file.beside, self.recipe)
        except practice.NoSolutions:
            raise Refusal("This edition of the workbook has no solutions.") from None
        except practice.NotPassed:
            pass
        self.line.tell(SolutionShown(html, beside))

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
