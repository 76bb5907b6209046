"""An exercise as the page shows it: judged at each save, task by task.

The judging itself, hints, solutions and starting over are those of the terminal
(`judge.py` and `practice.py`); here they run in threads, and what they tell is kept.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recipes.workbench import catalog
from recipes.workbench.desk import News
from recipes.workbench.exercises import practice, remembered
from recipes.workbench.exercises.judge import Begun, Judging, Verdict
from recipes.workbench.refusal import Refusal
from recipes.workbench.tasks import Task, tasks


class Exercise:
    """The state of one exercise.

    Attributes:
        judging: whether it is being judged now.
        begun: whether it is no longer the starter.
        tasks: its tasks, in their order; empty until they were read.
        states: for each task's name waiting, running, passed or failed; none of
            these as long as nobody knows.
        failures: for the name of each task that has failed, the whole story.
        trouble: why it has no tasks and cannot be judged; empty if it can.
    """

    def __init__(self, recipe: str, changed: Callable[[], None]) -> None:
        self.recipe = recipe
        self.judging = False
        self.begun = False
        self.tasks: list[Task] = []
        self.states: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self.trouble = ""
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._round = 0
        self._running: Judging | None = None

    async def look(self) -> None:
        """Show what is known; judge what is begun and not known."""
        before = self._round
        try:
            every = await asyncio.to_thread(tasks, self.recipe)
        except Refusal as refusal:
            self._refused(refusal)
            return
        known = await asyncio.to_thread(remembered.known, self.recipe)
        if self.judging or self._round != before:
            return  # a save came first
        self.begun, self.tasks = practice.begun(self.recipe), every
        self.trouble = ""
        self._forget()
        if known is not None:
            self._judged(known)
        elif self.begun:
            await self.check()
        self._changed()

    async def saved(self) -> None:
        """The file was saved: judge it, unless it is the starter again."""
        if practice.begun(self.recipe):
            await self.check()
        else:
            self.cancel()
            self._round += 1  # what the ended one still tells is not heard
            self.begun = self.judging = False
            self._forget()
            self._changed()

    async def check(self) -> None:
        """Judge it now. One that runs already is about an older file: it is ended."""
        self.cancel()
        self._round += 1
        number = self._round
        self.judging = True
        self.begun = practice.begun(self.recipe)
        self._forget("waiting")
        self._changed()
        try:
            await asyncio.to_thread(self._judge, number)
        except Refusal as refusal:
            self._refused(refusal)
        finally:
            self._round_is_over(number)

    def cancel(self) -> None:
        """End the judging that runs."""
        if self._running is not None:
            self._running.cancel()
        self._running = None

    def _judge(self, number: int) -> None:
        """In a thread: judge, and have the event loop note what comes."""
        with practice.judging(self.recipe) as running:
            self._soon(self._started, number, running)
            for news in running.news():
                self._soon(self._heard, number, news)
            self._soon(self._ended, number, running)

    def _soon(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody looks
            self._loop.call_soon_threadsafe(function, *arguments)

    # On the event loop; a round that is not the latest has nothing to say.

    def _started(self, number: int, running: Judging) -> None:
        if number != self._round:
            running.cancel()
            return
        self._running, self.tasks, self.trouble = running, running.tasks, ""
        self._forget("waiting")
        self._changed()

    def _heard(self, number: int, news: Begun | Verdict) -> None:
        if number != self._round:
            return
        if isinstance(news, Begun):
            self.states[news.task.name] = "running"
        else:
            self._note(news)
        self._changed()

    def _ended(self, number: int, running: Judging) -> None:
        if number == self._round:
            self._judged(running.verdicts())
            self.judging, self._running = False, None
            self._changed()

    def _round_is_over(self, number: int) -> None:
        # Also if the judging could not begin at all.
        if number == self._round and self._running is None and self.judging:
            self.judging = False
            self._changed()

    def _refused(self, refusal: Refusal) -> None:
        self.tasks, self.trouble = [], str(refusal)
        self._forget()
        self._changed()

    def _judged(self, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            self._note(verdict)

    def _note(self, verdict: Verdict) -> None:
        name = verdict.task.name
        self.states[name] = "passed" if verdict.passed else "failed"
        if not verdict.passed:
            self.failures[name] = verdict.failure

    def _forget(self, state: str = "") -> None:
        self.states = {task.name: state for task in self.tasks if state}
        self.failures = {}

    def shown(self) -> "ExerciseShown":
        """What the page takes: each task with its state, and the rest in words."""
        done = sum(state == "passed" for state in self.states.values())
        return ExerciseShown(
            trouble=self.trouble,
            judging=self.judging,
            begun=self.begun,
            passed=bool(self.tasks) and done == len(self.tasks),
            done=done,
            solution=catalog.solution(self.recipe).is_file(),
            tasks=[
                TaskShown(
                    task.name,
                    task.title,
                    task.level,
                    self.states.get(task.name, ""),
                    self.failures.get(task.name, ""),
                )
                for task in self.tasks
            ],
        )


@dataclass
class TaskShown:
    """A task of an exercise, and how it stands."""

    name: str
    title: str
    level: str
    state: str
    failure: str


@dataclass
class ExerciseShown(News):
    """An exercise; `solution` says whether there is one to show."""

    trouble: str
    judging: bool
    begun: bool
    passed: bool
    done: int
    solution: bool
    tasks: list[TaskShown]
    tell: Literal["exercise"] = "exercise"


class Exercises:
    """The exercises of all recipes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._exercises: dict[str, Exercise] = {}
        # Two at a time: as many as the terminal's progress judges.
        self._turns = asyncio.Semaphore(practice.SIDE_BY_SIDE)

    def of(self, recipe: str) -> Exercise:
        if recipe not in self._exercises:
            self._exercises[recipe] = Exercise(recipe, self._changed)
        return self._exercises[recipe]

    async def progress(self, recipe: str) -> practice.Progress:
        """How far an exercise is; judged in its turn, if that is not known."""
        async with self._turns:
            return await asyncio.to_thread(practice.progress_of, recipe)

    async def saved(self, recipe: str, files: set[Path]) -> None:
        """Files were saved: judge the exercise again, if it may depend on one."""
        folder = catalog.RECIPES / recipe
        if any(f.suffix == ".py" and folder in f.parents for f in files):
            await self.of(recipe).saved()
