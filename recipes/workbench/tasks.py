"""The tasks of the exercises, as `tasks.toml` in a recipe's folder tells them.

    [[task]]
    test = "test_greets_by_name"    its test in tests/test_<recipe>.py
    title = "A client at /ws/{name} is greeted"
    level = "core"                  core, more or stretch; without it core
    hints = ["a nudge", "more", "nearly the answer"]
    points = 3                      without it 2 if core, else 1

    [[symptom]]
    task = "test_greets_by_name"    without it: any task of the recipe
    seen = "refused with HTTP 403"  a regular expression, searched in the told failure
    say = "One plain sentence that mends the mistake."

    [catch]                         at most one: what test_exercise.py is to catch
    broken = "demo_lost_zero"       the module with the broken app
    title = "Your test catches the zero that comes back as null"
    hint = "What a test must ask, to see it."

The tasks stand in the order of their tests. To read them imports neither the tests nor
the recipe, either of which may be broken.
"""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recipes.workbench import catalog
from recipes.workbench.toml import read_toml

# Tells pytest which file lists the tasks, if it is not the recipe's own.
TASKS = "WORKBOOK_TASKS"
# Of a task, where its own are not told.
POINTS = {"core": 2, "more": 1, "stretch": 1}


class Task(BaseModel):
    """A task of an exercise. The hints go from a nudge to nearly the answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(alias="test", pattern=r"^test_\w+$")
    title: str = Field(min_length=1)
    level: Literal["core", "more", "stretch"] = "core"
    hints: list[str] = Field(min_length=1)
    points: int | None = Field(default=None, ge=0)

    @property
    def worth(self) -> int:
        """The points that passing it gives."""
        return POINTS[self.level] if self.points is None else self.points


class Symptom(BaseModel):
    """What is `seen` in a failure, and what a good teacher says then."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    task: str | None = None
    seen: re.Pattern[str]
    say: str = Field(min_length=1)


class Catch(BaseModel):
    """The exercise of the other kind: a test that fails on a broken app.

    `broken` is the module of the recipe that holds that app, in the place of `main`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    broken: str = Field(pattern=r"^demo_\w+$")
    title: str = Field(min_length=1)
    hint: str = Field(min_length=1)


class Tasks(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")
    task: list[Task] = Field(min_length=1)
    symptom: list[Symptom] = []
    catch: Catch | None = None

    @model_validator(mode="after")
    def _names_are_known_and_single(self) -> Self:
        names = Counter(task.name for task in self.task)
        if twice := [name for name, times in names.items() if times > 1]:
            raise ValueError(f"{twice[0]} is named by two tasks")
        for symptom in self.symptom:
            if symptom.task is not None and symptom.task not in names:
                raise ValueError(f"a symptom is of {symptom.task}, which is no task")
        return self

    def hint_for(self, task: Task, failure: str) -> str | None:
        """What the first symptom says that is seen in a failure of the task."""
        for symptom in self.symptom:
            if symptom.task in {None, task.name} and symptom.seen.search(failure):
                return symptom.say
        return None


def read(recipe: str) -> Tasks:
    """What a recipe's `tasks.toml` says. Raises Refusal: it is not as it should be."""
    own = catalog.RECIPES / recipe / "tasks.toml"
    return read_toml(Path(os.environ.get(TASKS) or own), Tasks)


def tasks(recipe: str) -> list[Task]:
    """The recipe's tasks, in their order. Raises Refusal, as `read` does."""
    return read(recipe).task
