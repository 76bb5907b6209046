"""What a test talks to: a module of its recipe, or an answer to its exercise."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from recipes.workbench import catalog


class Target(NamedTuple):
    """The module that a test talks to."""

    name: str
    file: Path | None
    settings: tuple[tuple[str, Any], ...]


def judging(config: pytest.Config) -> bool:
    """Whether answers from outside are judged, instead of the workbook itself."""
    return bool(config.getoption("submission"))


def is_task(item: pytest.Item) -> bool:
    return item.get_closest_marker("task") is not None


def target_of(item: pytest.Item) -> Target:
    """What the test's recipe, marks and the command line say that it talks to."""
    recipe = item.path.stem.removeprefix("test_")
    mark = item.get_closest_marker("settings")
    settings = tuple(sorted(mark.kwargs.items())) if mark else ()
    if is_task(item):
        answers = item.config.getoption("submission") or catalog.SOLUTIONS
        file = Path(answers).resolve() / recipe / "exercise.py"
        return Target(f"recipes.{recipe}.exercise", file, settings)
    mark = item.get_closest_marker("module")
    name = mark.args[0] if mark else "main"
    return Target(f"recipes.{recipe}.{name}", None, settings)
