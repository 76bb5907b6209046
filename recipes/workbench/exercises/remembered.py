"""Verdicts that are known: kept in CACHE under a hash of all that they depend on.

So a changed exercise, test or judge has no old ones. May be called from any thread.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Verdict
from recipes.workbench.tasks import Task

CACHE = catalog.ROOT / ".workbench_cache"


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


def known(recipe: str) -> list[Verdict] | None:
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
