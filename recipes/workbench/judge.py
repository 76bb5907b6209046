"""Judge answers: run the tasks of a recipe in pytest, and read its report.

The answer never runs in this process, nor in pytest's: the tests talk to it over a
socket. A verdict is what the report says of a task on the list; a task that the report
does not name is not passed, whatever pytest's exit status.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

from recipes.workbench import catalog

# Seconds for all the tasks of one exercise.
JUDGE_TIMEOUT = 180.0
ENDED = "The judging was ended from outside. Does the answer end other programs?"


class Task(NamedTuple):
    """One task of an exercise, as the marker of its test describes it."""

    name: str
    title: str
    level: str
    hints: list[str]


class Verdict(NamedTuple):
    """What became of a task; `failure` tells why, and is empty when it is passed."""

    task: Task
    failure: str

    @property
    def passed(self) -> bool:
        return not self.failure


def tasks(recipe: str) -> list[Task]:
    """The recipe's tasks, in the order of its test suite."""
    module = catalog.load(f"tests.test_{recipe}", catalog.tests(recipe))
    return [
        Task(name, mark.args[0], mark.kwargs.get("level", "core"), mark.kwargs["hints"])
        for name, test in vars(module).items()
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "task"
    ]


def judge(recipe: str, answers: Path) -> list[Verdict]:
    """Judge `answers`/<recipe>/exercise.py.

    Args:
        recipe: the recipe's folder name.
        answers: a folder with the layout of solutions/.

    Returns:
        A verdict for each task, in the order of the tasks.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", str(catalog.tests(recipe))]
        command += [f"--submission={answers.resolve()}", f"--junitxml={report}"]
        command += ["-q", "-p", "no:cacheprovider"]
        # Plugins that happen to be installed cost time and are not needed.
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment.pop("PYTEST_ADDOPTS", None)
        trouble = ""
        try:
            run = subprocess.run(
                command,
                cwd=catalog.ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=JUDGE_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            trouble = f"The judging took more than {JUDGE_TIMEOUT:.0f} s."
        else:
            # 0 and 1 are pytest's own ends; an answer may end it in other ways.
            if run.returncode not in {0, 1}:
                said = (run.stderr or run.stdout).decode(errors="replace").strip()
                trouble = said if run.returncode > 2 else ENDED
        return read_report(report, tasks(recipe), trouble)


def read_report(report: Path, wanted: list[Task], trouble: str) -> list[Verdict]:
    """The verdicts that a JUnit report holds for the tasks that are `wanted`.

    With `trouble` the report is not to be trusted: that is every task's verdict then.
    """
    if trouble:
        return [Verdict(task, trouble) for task in wanted]
    missing = "The judging ended before this task."
    try:
        cases = ElementTree.parse(report).iter("testcase")
        told = {case.get("name"): failure_in(case) for case in cases}
    except (OSError, ElementTree.ParseError):
        told = {}
    return [Verdict(task, told.get(task.name, missing)) for task in wanted]


def failure_in(case: ElementTree.Element) -> str:
    """Why the report counts a test as not passed; empty if it passed."""
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return found.text or found.get("message") or kind
    return ""


def judge_file(recipe: str, file: Path) -> list[Verdict]:
    """Judge an answer that lies anywhere, under any name."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / recipe
        place.mkdir()
        if file.is_file():
            shutil.copy(file, place / "exercise.py")
        return judge(recipe, Path(folder))
