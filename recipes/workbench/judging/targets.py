"""What a test talks to: a module of its recipe, or an answer to its exercise."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from recipes.workbench import catalog
from recipes.workbench.tasks import Task, Tasks, read


class Target(NamedTuple):
    """The module that a test talks to."""

    name: str
    file: Path | None
    settings: tuple[tuple[str, Any], ...]


def judging(config: pytest.Config) -> bool:
    """Whether answers from outside are judged, instead of the workbook itself."""
    return bool(config.getoption("submission"))


def recipe_of(item: pytest.Item) -> str:
    """The recipe whose suite the test is in; another word for any other test."""
    return item.path.stem.removeprefix("test_")


@cache
def tasks_of(recipe: str) -> Tasks | None:
    """The recipe's `tasks.toml`; None if there is no such recipe. Raises Refusal."""
    return read(recipe) if recipe in catalog.recipes() else None


def task_of(item: pytest.Item) -> Task | None:
    """The task that is tied to the test, by the test's name."""
    tasks = tasks_of(recipe_of(item))
    name = getattr(item, "originalname", item.name)
    every = tasks.task if tasks else []
    return next((task for task in every if task.name == name), None)


def is_task(item: pytest.Item) -> bool:
    return task_of(item) is not None


def target_of(item: pytest.Item) -> Target:
    """What the test's recipe, marks and the command line say that it talks to."""
    recipe = recipe_of(item)
    mark = item.get_closest_marker("settings")
    settings = tuple(sorted(mark.kwargs.items())) if mark else ()
    if is_task(item):
        answers = item.config.getoption("submission") or catalog.SOLUTIONS
        file = Path(answers).resolve() / recipe / "exercise.py"
        return Target(f"recipes.{recipe}.exercise", file, settings)
    mark = item.get_closest_marker("module")
    name = mark.args[0] if mark else "main"
    return Target(f"recipes.{recipe}.{name}", None, settings)
