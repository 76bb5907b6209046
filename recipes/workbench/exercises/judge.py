"""Judge answers: run the tasks of a recipe in pytest, and read its report.

The answer never runs in this process, nor in pytest's: the tests talk to it over a
socket. A verdict is what the report says of a task on the list; a task that the report
does not name is not passed, whatever pytest's exit status. What pytest tells while it
runs is news, for whoever waits, and decides nothing.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from recipes.workbench import catalog
from recipes.workbench.servers.starting import JUDGING, Process, start
from recipes.workbench.tasks import TASKS, Task, Tasks, tasks
from recipes.workbench.toml import read_toml

# Seconds for all the tasks of one exercise.
JUDGE_TIMEOUT = 180.0
ENDED = "The judging was ended from outside. Does the answer end other programs?"
CANCELLED = "The judging was cancelled."
MISSING = "The judging ended before this task."
# Seconds between two looks at how it goes.
PAUSE = 0.02
# Bytes: of all the news, and of what pytest says if it cannot run.
MOST_TOLD = 16 * 2**20
LONGEST_TROUBLE = 4_000


class Verdict(NamedTuple):
    """What became of a task; `failure` tells why, and is empty when it is passed."""

    task: Task
    failure: str

    @property
    def passed(self) -> bool:
        return not self.failure


class Begun(NamedTuple):
    """The test of a task runs now."""

    task: Task


News = Begun | Verdict


class Suite(NamedTuple):
    """Tests of somebody's own for a recipe, and the `tasks.toml` that lists them."""

    tests: Path
    tasks: Path


class Judging:
    """A judging of `answers`/<recipe>/exercise.py, which runs from now on.

    Whoever wants to know looks: no thread of its own follows it. Its methods may be
    called from any thread. To be used with `with`, which at its end cancels a judging
    that still runs.

    Args:
        recipe: the recipe's folder name.
        answers: a folder with the layout of solutions/.
        seconds: for all the tasks; without it JUDGE_TIMEOUT.
        told: variables of the environment for pytest.
        suite: other tests than the recipe's, which another `tasks.toml` lists.

    Raises Refusal: the recipe's `tasks.toml` is not as it should be.

    Attributes:
        tasks: the recipe's tasks, in their order.
        trouble: why the report is not to be trusted; empty if it is. Set at the end.
    """

    def __init__(
        self,
        recipe: str,
        answers: Path,
        seconds: float | None = None,
        told: Mapping[str, str] = {},
        suite: Suite | None = None,
    ) -> None:
        self.trouble = ""
        self.tasks = read_toml(suite.tasks, Tasks).task if suite else tasks(recipe)
        self._verdicts: list[Verdict] | None = None
        self._news: list[News] = []
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self._report, self._said = folder / "report.xml", folder / "said.txt"
        self._seconds = JUDGE_TIMEOUT if seconds is None else seconds
        self._deadline = time.monotonic() + self._seconds
        news = folder / "told.jsonl"
        tests = suite.tests if suite else catalog.tests(recipe)
        if suite:
            told = {**told, TASKS: str(suite.tasks)}
        self._process = start_pytest(
            tests, answers, self._report, news, self._said, told
        )
        self._told = news.open("rb")
        # Knows when the process began, and so never takes another for it.
        self._tree = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()
        self.verdicts()

    def __iter__(self) -> Iterator[Verdict]:
        """The verdicts of `news()`."""
        return (news for news in self.news() if isinstance(news, Verdict))

    def news(self) -> Iterator[News]:
        """What happens to the tasks, from the beginning on and as it happens.

        For each task whose test runs a `Begun` and a `Verdict`, in the order of the
        tests. It ends with the judging, and then `verdicts()` has the last word.
        """
        number = 0
        while True:
            over = self._look()
            while number < len(self._news):
                yield self._news[number]
                number += 1
            if over:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PAUSE)

    def verdicts(self) -> list[Verdict]:
        """A verdict for each task, in the order of the tasks. Waits for the end."""
        for _ in self.news():
            pass
        assert self._verdicts is not None
        return self._verdicts

    @property
    def pid(self) -> int:
        """The number of pytest's process."""
        return self._process.pid

    def cancel(self, why: str = CANCELLED) -> None:
        """End it now, with all that it started; it fails every task then."""
        with self._lock:
            if self._verdicts is None:
                self._end(why)

    def _end(self, why: str) -> None:
        self.trouble = self.trouble or why
        kill_tree(self._tree)

    def _look(self) -> bool:
        """Take in what has happened since the last look; whether it is over."""
        with self._lock:
            if self._verdicts is not None:
                return True
            # First: what it told before its end is there to be read, then.
            status = self._process.poll()
            self._read_news()
            if status is not None:
                self._finish(status)
            elif time.monotonic() > self._deadline:
                self._end(f"The judging took more than {self._seconds:.0f} s.")
            return status is not None

    def _read_news(self) -> None:
        by_name = {task.name: task for task in self.tasks}
        while self._told.tell() < MOST_TOLD and (
            line := self._told.readline(MOST_TOLD)
        ):
            if not line.endswith(b"\n"):
                self._told.seek(-len(line), os.SEEK_CUR)  # it is still being written
                return
            news = understood(line, by_name)
            if news is not None and not self._is_old(news):
                self._news.append(news)

    def _is_old(self, news: News) -> bool:
        return any(
            type(old) is type(news) and old.task == news.task for old in self._news
        )

    def _finish(self, status: int) -> None:
        self.trouble = self.trouble or trouble_of(status, self._said)
        self._verdicts = read_report(self._report, self.tasks, self.trouble)
        self._told.close()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._folder.cleanup()


def start_pytest(
    tests: Path,
    answers: Path,
    report: Path,
    told: Path,
    said: Path,
    variables: Mapping[str, str] = {},
) -> Process:
    """Have pytest run a recipe's tasks; its output is the news of `reporter.py`.

    Args:
        tests: the suite, test_<recipe>.py.
        answers: a folder with the layout of solutions/.
        report: where pytest writes its report.
        told: where the news go.
        said: where pytest says why it cannot run.
        variables: what it is told in its environment.
    """
    arguments = [str(tests), f"--submission={answers.resolve()}"]
    arguments += [f"--junitxml={report}", "-q", "-p", "no:cacheprovider"]
    # Tests may lie outside of the workbook.
    arguments += [f"--rootdir={catalog.ROOT}", f"-c{catalog.ROOT / 'pyproject.toml'}"]
    arguments += ["-p", "recipes.workbench.judging.reporter"]
    # Plugins that happen to be installed cost time and are not needed.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | dict(variables)
    environment.pop("PYTEST_ADDOPTS", None)
    with told.open("ab") as output, said.open("wb") as errors:
        return start(
            JUDGING,
            "pytest",
            arguments,
            environment,
            output.fileno(),
            errors.fileno(),
        )


def kill_tree(top: psutil.Process) -> None:
    """End a process, then all that it started and what these started in turn."""
    with contextlib.suppress(psutil.Error):
        for process in [top, *top.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, OSError):
                # With the group of a server, what has lost its parent in it.
                if sys.platform != "win32" and process.is_running():
                    if os.getpgid(process.pid) == process.pid:
                        os.killpg(process.pid, signal.SIGKILL)
                process.kill()


def understood(line: bytes, tasks: dict[str, Task]) -> News | None:
    """A line as news of a task. None if it is none: an answer may write such lines."""
    try:
        match json.loads(line):
            case {"event": "begun", "name": str(name)}:
                return Begun(tasks[name])
            case {"event": "done", "name": str(name), "failure": str(failure)}:
                return Verdict(tasks[name], failure)
    except (ValueError, KeyError, RecursionError):
        pass
    return None


def trouble_of(status: int, said: Path) -> str:
    """Why pytest did not come to its end; empty if it did."""
    # 0 and 1 are pytest's own ends; an answer may end it in other ways.
    if status in {0, 1}:
        return ""
    if status <= 2:
        return ENDED
    with said.open("rb") as output:
        output.seek(max(0, said.stat().st_size - LONGEST_TROUBLE))
        return output.read().decode(errors="replace").strip() or ENDED


def judge(recipe: str, answers: Path) -> list[Verdict]:
    """Judge `answers`/<recipe>/exercise.py.

    Args:
        recipe: the recipe's folder name.
        answers: a folder with the layout of solutions/.

    Returns:
        A verdict for each task, in the order of the tasks.
    """
    with Judging(recipe, answers) as judging:
        return judging.verdicts()


def read_report(report: Path, wanted: list[Task], trouble: str) -> list[Verdict]:
    """The verdicts that a JUnit report holds for the tasks that are `wanted`.

    With `trouble` the report is not to be trusted: that is every task's verdict then.
    """
    if trouble:
        return [Verdict(task, trouble) for task in wanted]
    try:
        cases = ElementTree.parse(report).iter("testcase")
        told = {case.get("name"): failure_in(case) for case in cases}
    except (OSError, ElementTree.ParseError):
        told = {}
    return [Verdict(task, told.get(task.name, MISSING)) for task in wanted]


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
