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
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from recipes.workbench import catalog
from recipes.workbench.tasks import Task, tasks

# Seconds for all the tasks of one exercise.
JUDGE_TIMEOUT = 180.0
ENDED = "The judging was ended from outside. Does the answer end other programs?"
CANCELLED = "The judging was cancelled."
MISSING = "The judging ended before this task."
# Bytes: of a line of news, and of what pytest says if it cannot run.
LONGEST_LINE = 1_000_000
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


class Judging:
    """A judging of `answers`/<recipe>/exercise.py, which runs from now on.

    Its methods may be called from any thread. To be used with `with`, which at its end
    cancels a judging that still runs.

    Args:
        recipe: the recipe's folder name.
        answers: a folder with the layout of solutions/.

    Raises Refusal: the recipe's `tasks.toml` is not as it should be.

    Attributes:
        tasks: the recipe's tasks, in their order.
        trouble: why the report is not to be trusted; empty if it is. Set at the end.
    """

    def __init__(self, recipe: str, answers: Path) -> None:
        self.trouble = ""
        self.tasks = tasks(recipe)
        self._verdicts: list[Verdict] | None = None
        self._news: list[News] = []
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._report = Path(self._folder.name) / "report.xml"
        self._said = Path(self._folder.name) / "said.txt"
        self._process = start_pytest(recipe, answers, self._report, self._said)
        # Knows when the process began, and so never takes another for it.
        self._tree = psutil.Process(self._process.pid)
        sentence = f"The judging took more than {JUDGE_TIMEOUT:.0f} s."
        self._limit = threading.Timer(JUDGE_TIMEOUT, self._end, [sentence])
        self._limit.daemon = True
        self._limit.start()
        self._reader = threading.Thread(target=self._read_news, daemon=True)
        self._keeper = threading.Thread(target=self._await_end, daemon=True)
        self._reader.start()
        self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()
        self._keeper.join()

    def __iter__(self) -> Iterator[Verdict]:
        """The verdicts of `news()`."""
        return (news for news in self.news() if isinstance(news, Verdict))

    def news(self) -> Iterator[News]:
        """What happens to the tasks, from the beginning on and as it happens.

        For each task whose test runs a `Begun` and a `Verdict`, in the order of the
        tests. It ends with the judging, and then `verdicts()` has the last word.
        """
        for number in count():
            if not self._comes(number):
                return
            yield self._news[number]

    def verdicts(self) -> list[Verdict]:
        """A verdict for each task, in the order of the tasks. Waits for the end."""
        for _ in self.news():
            pass
        assert self._verdicts is not None
        return self._verdicts

    def cancel(self) -> None:
        """End it now, with all that it started; it fails every task then."""
        self._end(CANCELLED)

    def _comes(self, number: int) -> bool:
        """Wait for the news of this number; False if it ends without."""

        def told() -> bool:
            return len(self._news) > number

        with self._changed:
            # In pieces, since on Windows Ctrl-C cannot interrupt a wait.
            while not told() and self._verdicts is None:
                self._changed.wait(timeout=1)
            return told()

    def _end(self, why: str) -> None:
        with self._changed:
            if self._verdicts is not None:
                return
            self.trouble = self.trouble or why
        kill_tree(self._tree)

    def _read_news(self) -> None:
        assert self._process.stdout is not None
        by_name = {task.name: task for task in self.tasks}
        with self._process.stdout as lines:
            while line := lines.readline(LONGEST_LINE):
                news = understood(line, by_name)
                with self._changed:
                    if news is not None and not self._is_old(news):
                        self._news.append(news)
                        self._changed.notify_all()

    def _is_old(self, news: News) -> bool:
        return any(
            type(old) is type(news) and old.task == news.task for old in self._news
        )

    def _await_end(self) -> None:
        trouble, verdicts = ENDED, read_report(self._report, self.tasks, ENDED)
        try:
            status = self._process.wait()
            self._limit.cancel()
            # An answer may hold the other end, by ways of its own, and keep it open.
            self._reader.join(timeout=1)
            trouble = self.trouble or trouble_of(status, self._said)
            verdicts = read_report(self._report, self.tasks, trouble)
        finally:
            self._tidy_up()
            with self._changed:
                self.trouble, self._verdicts = trouble, verdicts
                self._changed.notify_all()

    def _tidy_up(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._folder.cleanup()


def start_pytest(
    recipe: str, answers: Path, report: Path, said: Path
) -> subprocess.Popen[bytes]:
    """Have pytest run the recipe's tasks; its output is the news of `reporter.py`."""
    command = [sys.executable, "-m", "pytest", str(catalog.tests(recipe))]
    command += [f"--submission={answers.resolve()}", f"--junitxml={report}"]
    command += [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "recipes.workbench.judging.reporter",
    ]
    # Plugins that happen to be installed cost time and are not needed.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    # A group of its own, so that Ctrl-C is left to whoever judges.
    new_group = 0
    if sys.platform == "win32":
        new_group = subprocess.CREATE_NEW_PROCESS_GROUP
    with said.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=catalog.ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            creationflags=new_group,
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
