"""Judge a learner's test: it must pass on `main`, and fail on an app with a bug.

It runs in two children, each a pytest of its own: in one of them the broken app stands
in the place of `main`. A verdict is read from the reports that these write.
"""

import contextlib
import os
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import psutil

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import failure_in, kill_tree
from recipes.workbench.servers.starting import JUDGING, Process, start
from recipes.workbench.tasks import Catch, read

# Seconds for the tests on one app.
CATCH_TIMEOUT = 20.0


class Run(NamedTuple):
    """How the tests went on one app.

    `failed` holds the failures by the tests' names; `trouble` is why they could not
    run, or came to no end, and is empty if they did.
    """

    passed: list[str]
    failed: dict[str, str]
    trouble: str = ""


class Caught(NamedTuple):
    """Whether a test catches the bug; `failure` tells why not, and is empty if so."""

    catch: Catch
    failure: str

    @property
    def passed(self) -> bool:
        return not self.failure


def begun(recipe: str) -> bool:
    """Whether a recipe has such an exercise, and it is no longer the starter."""
    file, starter = catalog.catch(recipe), catalog.STARTERS / recipe
    return (
        file.is_file()
        and read(recipe).catch is not None
        and file.read_bytes() != (starter / file.name).read_bytes()
    )


def judge_catch(recipe: str, file: Path) -> Caught | None:
    """Judge the tests in a file; None if the recipe has no bug to catch.

    Raises Refusal: the recipe's `tasks.toml` is not as it should be.
    """
    catch = read(recipe).catch
    if catch is None:
        return None
    broken = catalog.RECIPES / recipe / f"{catch.broken}.py"
    name = f"recipes.{recipe}.main"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        runs = [
            Running(file, Path(folder) / f"{n}.xml", subject)
            for n, subject in enumerate(("", f"{name}={broken}"))
        ]
        on_main, on_broken = [running.end() for running in runs]
    return Caught(catch, why_not(on_main, on_broken, catch.broken))


def why_not(on_main: Run, on_broken: Run, broken: str) -> str:
    """Why tests that went so do not catch the bug; empty if they do."""
    if on_main.trouble:
        return on_main.trouble
    if on_main.failed:
        test, failure = next(iter(on_main.failed.items()))
        return f"{test} fails on main, which is right: {failure}"
    if not on_main.passed:
        return "There is no test that passes on main."
    if on_broken.trouble:
        return f"On {broken}: {on_broken.trouble}"
    if not on_broken.failed:
        tests = ", ".join(on_broken.passed)
        return f"Passed on {broken}, too: {tests}. No test sees the bug."
    return ""


class Running:
    """The tests in a file, which run from now on, on the app of a `subject`."""

    def __init__(self, file: Path, report: Path, subject: str) -> None:
        self.file, self.report = file, report
        config = catalog.ROOT / "pyproject.toml"
        arguments = [str(file.resolve()), f"--junitxml={report}", "-q", "--noconftest"]
        arguments += ["-c", str(config), "-o", "addopts=", "-o", "filterwarnings="]
        arguments += ["--import-mode=importlib", "-p", "no:cacheprovider"]
        arguments += ["-p", "recipes.workbench.judging.reporter"]
        arguments += ["-p", "recipes.workbench.judging.subject"]
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment |= {"WORKBOOK_SUBJECT": subject}
        environment.pop("PYTEST_ADDOPTS", None)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            self._process: Process = start(
                JUDGING, "pytest", arguments, environment, nowhere, nowhere
            )
        finally:
            os.close(nowhere)

    def end(self) -> Run:
        """Wait for the end, and read how it went."""
        trouble = ""
        try:
            self._process.wait(CATCH_TIMEOUT)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(psutil.Error):
                kill_tree(psutil.Process(self._process.pid))
            self._process.wait(CATCH_TIMEOUT)
            trouble = (
                f"The tests took more than {CATCH_TIMEOUT:.0f} s. TestClient waits for "
                "ever for a message that does not come."
            )
        if self._process.stdin is not None:
            self._process.stdin.close()
        return Run([], {}, trouble) if trouble else self._read()

    def _read(self) -> Run:
        passed, failed = [], {}
        if not self.file.is_file():
            return Run([], {}, f"There is no {self.file}.")
        try:
            cases = list(ElementTree.parse(self.report).iter("testcase"))
        except (OSError, ElementTree.ParseError):
            return Run([], {}, "The tests ended the program that ran them.")
        for case in cases:
            name = case.get("name") or ""
            if (error := case.find("error")) is not None:
                said = (error.text or "").strip().splitlines()
                last = [line for line in said if line.startswith("E ")] or said[-1:]
                return Run([], {}, f"{name} cannot run: {last[-1].lstrip('E ')}")
            if (failure := case.find("failure")) is not None:
                failed[name] = " ".join((failure.get("message") or "").split())[:300]
            elif not failure_in(case):
                passed.append(name)
        return Run(passed, failed)
