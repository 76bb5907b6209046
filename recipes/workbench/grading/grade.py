"""Grade a class: take the answers, judge each different one, and know how it went."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Suite, Verdict
from recipes.workbench.exercises.remembered import sources
from recipes.workbench.grading.isolation import Isolation, choose
from recipes.workbench.grading.judged import Judge, Round, nothing
from recipes.workbench.grading.stage import Stages
from recipes.workbench.grading.take import Answer
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.starting import JUDGING, warm
from recipes.workbench.tasks import Task, Tasks, tasks
from recipes.workbench.toml import read_toml

# What the verdicts depend on beside the workbook's own files.
LIBRARIES = ["fastapi", "starlette", "uvicorn", "websockets", "pytest"]


class Grade(NamedTuple):
    """What became of somebody's answer to a recipe.

    Attributes:
        differs: the tasks whose verdicts were not the same each time.
    """

    name: str
    recipe: str
    verdicts: list[Verdict]
    hidden: list[Verdict]
    differs: list[str]

    @property
    def passed(self) -> int:
        return sum(v.passed for v in (*self.verdicts, *self.hidden))

    @property
    def total(self) -> int:
        return len(self.verdicts) + len(self.hidden)

    @property
    def points(self) -> int:
        every = (*self.verdicts, *self.hidden)
        return sum(v.task.worth for v in every if v.passed)

    @property
    def most(self) -> int:
        """The points that there are for all of the tasks."""
        return sum(v.task.worth for v in (*self.verdicts, *self.hidden))


class Options(NamedTuple):
    """How a class is graded, as the command is told it."""

    isolation: str = "auto"
    trust: bool = False
    jobs: int = 2 * (os.cpu_count() or 1)
    hidden: Path | None = None
    repeat: int = 1


def hidden_suites(folder: Path | None, recipes: Sequence[str]) -> dict[str, Suite]:
    """The tests of an instructor's own, by recipe.

    DIR/test_<recipe>.py holds them, and DIR/<recipe>/tasks.toml lists those that count.

    Raises Refusal: there are none, or a list is missing or not as it should be.
    """
    if folder is None:
        return {}
    found = {}
    for recipe in recipes:
        suite = Suite(folder / f"test_{recipe}.py", folder / recipe / "tasks.toml")
        if suite.tests.is_file():
            read_toml(suite.tasks, Tasks)
            found[recipe] = Suite(suite.tests.resolve(), suite.tasks.resolve())
    if not found:
        raise Refusal(f"{folder} holds no test_<recipe>.py.")
    return found


def versions() -> dict[str, str]:
    """What the verdicts depend on."""
    return {"python": sys.version.split()[0]} | {n: version(n) for n in LIBRARIES}


def key_of(recipe: str, suites: Mapping[str, Suite], isolation: str, n: int) -> str:
    """A hash of what the verdicts on answers to a recipe depend on, but the answers."""
    seen = hashlib.sha256(f"{isolation} {n} {sorted(versions().items())}".encode())
    files = set(sources(recipe)) - {catalog.exercise(recipe)}
    files |= {catalog.starter(recipe), *suites.get(recipe, ())}
    for file in sorted(files):
        if file.is_file():
            data = file.read_bytes()
            seen.update(f"{file.name} {len(data)}\n".encode() + data)
    return seen.hexdigest()


class Grading:
    """A class that is graded; `with` it, its stages and helpers are there.

    Attributes:
        isolation: how answers are kept from everything else.
        recipes: those that are graded.
    """

    def __init__(
        self,
        answers: list[Answer],
        recipes: list[str],
        folder: Path,
        out: Path,
        options: Options,
    ) -> None:
        self.answers, self.recipes, self.options = answers, recipes, options
        self.folder, self.out = folder, out
        self.suites = hidden_suites(options.hidden, recipes)
        self.isolation = Isolation("none")

    def prepare(self, stages: Stages) -> None:
        """Choose the isolation. Raises Refusal: what is wanted does not work."""
        kept = [self.folder.resolve(), self.out.resolve()]
        if self.options.hidden:
            kept.append(self.options.hidden.resolve())
        data = catalog.starter(self.recipes[0]).read_bytes()
        stage = stages.stage(self.recipes[0], data, None)
        self.isolation = choose(
            self.options.isolation, stage, kept, self.options.jobs, self.options.trust
        )

    def grades(self, stages: Stages) -> Iterator[Grade]:
        """Each grade, as soon as it is known. Ctrl-C leaves what is known for later."""
        keys = {
            recipe: key_of(
                recipe, self.suites, self.isolation.name, self.options.repeat
            )
            for recipe in self.recipes
        }
        file = self.out / "results.jsonl"
        known = Known(file, self.suites)
        waiting: dict[tuple[str, str], list[Answer]] = {}
        for answer in self.answers:
            if answer.data is None:
                done = nothing(answer.recipe, answer.trouble, self.suites)
                yield grade_of(answer, [done])
                continue
            digest = hashlib.sha256(answer.data).hexdigest()
            identity = answer.recipe, f"{digest} {keys[answer.recipe]}"
            if (rounds := known.rounds(*identity)) is not None:
                yield grade_of(answer, rounds)
            else:
                waiting.setdefault(identity, []).append(answer)
        with (
            warm(JUDGING),
            Judge(stages, self.isolation, self.suites) as judge,
            ThreadPoolExecutor(self.options.jobs) as pool,
        ):
            futures: dict[Future[list[Round]], tuple[str, str]] = {}
            for identity, same in waiting.items():
                assert same[0].data is not None
                work = pool.submit(self._rounds, judge, identity[0], same[0].data)
                futures[work] = identity
            try:
                for future in as_completed(futures):
                    rounds = future.result()
                    identity = futures[future]
                    known.keep(*identity, [a.name for a in waiting[identity]], rounds)
                    for answer in waiting[identity]:
                        yield grade_of(answer, rounds)
            except BaseException:
                # The pool waits for its threads.
                judge.cancel()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _rounds(self, judge: Judge, recipe: str, data: bytes) -> list[Round]:
        return [judge.judge(recipe, data) for _ in range(self.options.repeat)]


def grade_of(answer: Answer, rounds: list[Round]) -> Grade:
    """The grade of an answer; where rounds differ the first counts, and it is said."""
    first = rounds[0]
    outcomes = [
        [(v.task.name, v.passed) for v in (*r.verdicts, *r.hidden)] for r in rounds
    ]
    differs = [
        name
        for number, (name, _) in enumerate(outcomes[0])
        if len({outcome[number] for outcome in outcomes}) > 1
    ]
    return Grade(answer.name, answer.recipe, first.verdicts, first.hidden, differs)


class Known:
    """The verdicts that are known already, in a file of lines of JSON."""

    def __init__(self, file: Path, suites: Mapping[str, Suite]) -> None:
        self._file, self._suites = file, suites
        self._kept: dict[tuple[str, str], Any] = {}
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            lines = []
        for line in lines:
            try:
                kept = json.loads(line)
                self._kept[kept["recipe"], kept["key"]] = kept["rounds"]
            except (ValueError, TypeError, KeyError):
                pass  # the last line of one that was interrupted

    def rounds(self, recipe: str, key: str) -> list[Round] | None:
        """What is known of an answer; None if nothing is."""
        every = tasks(recipe), self._hidden(recipe)
        try:
            return [
                Round(
                    *(
                        self._verdicts(t, told)
                        for t, told in zip(every, pair, strict=True)
                    )
                )
                for pair in self._kept[recipe, key]
            ] or None
        except (KeyError, TypeError, ValueError):
            return None

    def _hidden(self, recipe: str) -> list[Task]:
        suite = self._suites.get(recipe)
        return read_toml(suite.tasks, Tasks).task if suite else []

    @staticmethod
    def _verdicts(every: list[Task], told: dict[str, str]) -> list[Verdict]:
        return [Verdict(task, str(told[task.name])) for task in every]

    def keep(
        self, recipe: str, key: str, names: list[str], rounds: list[Round]
    ) -> None:
        """Write down what is known now, for the next time."""
        told = [
            [{v.task.name: v.failure for v in verdicts} for verdicts in each]
            for each in rounds
        ]
        line = {"name": names, "recipe": recipe, "key": key, "rounds": told}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
