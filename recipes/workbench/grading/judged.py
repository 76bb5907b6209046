"""Judge one answer on a stage of its own, and leave nothing of it behind."""

import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import psutil

from recipes.workbench.exercises.judge import ENDED, Judging, Suite, Verdict
from recipes.workbench.grading.isolation import Isolation
from recipes.workbench.grading.leftovers import Leftovers
from recipes.workbench.grading.limits import (
    MOST_MEMORY,
    MOST_PROCESSES,
    SECONDS,
    TASK_SECONDS,
)
from recipes.workbench.grading.stage import Stages
from recipes.workbench.grading.still import Clock
from recipes.workbench.refusal import Refusal
from recipes.workbench.tasks import Tasks, tasks
from recipes.workbench.toml import read_toml

# How a failure is told that may be one of the machine's, if that stood still.
BY_TIME = re.compile(
    "othing came for|more than .* s|not ready after|still runs|kept us waiting"
    "|no answer to the handshake|timed out",
    re.IGNORECASE,
)
# Troubles of a judging that an answer may have caused; any other is ours.
OF_ANSWERS = re.compile(f"{re.escape(ENDED)}|.* took more|.*too m").match
# Times that an answer is judged again for that.
AGAIN = 2
# Seconds between two looks at what the answers take.
LOOK = 0.5


class Round(NamedTuple):
    """What became of an answer when it was judged.

    Attributes:
        verdicts: for each of the recipe's tasks.
        hidden: for each of the instructor's own.
    """

    verdicts: list[Verdict]
    hidden: list[Verdict]


class Judge:
    """Judges answers, from several threads at a time; to be used with `with`."""

    def __init__(
        self,
        stages: Stages,
        isolation: Isolation,
        hidden: Mapping[str, Suite] = {},
        seconds: float = SECONDS,
    ) -> None:
        self.stages, self.isolation, self.hidden = stages, isolation, hidden
        self.seconds = seconds
        self.cancelled = False
        self._leftovers = Leftovers()
        self._users: SimpleQueue[int] = SimpleQueue()
        for user in isolation.users:
            self._users.put(user)
        self._running: set[Judging] = set()
        self._clock = Clock()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Judge":
        self._leftovers.ours |= {child.pid for child in psutil.Process().children()}
        self._clock.__enter__()
        self._watcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._watcher.join()
        self._clock.__exit__()
        self._leftovers.sweep()

    def cancel(self) -> None:
        """End what runs; nothing is judged any more."""
        self.cancelled = True
        for running in self._running.copy():
            running.cancel()

    def judge(self, recipe: str, data: bytes) -> Round:
        """Judge an answer; again, if time ran out while the machine stood still."""
        for _ in range(AGAIN):
            since = time.monotonic()
            done = self._once(recipe, data)
            failures = [v.failure for v in (*done.verdicts, *done.hidden)]
            if not any(map(BY_TIME.search, failures)):
                break
            if not self._clock.stood_still(since) or self.cancelled:
                break
            done = self._once(recipe, data)
        return done

    def _once(self, recipe: str, data: bytes) -> Round:
        with self._stage(recipe, data) as (stage, user):
            launcher = self.isolation.launcher(stage, user)
            told = launcher.told() | {"WORKBOOK_TEST_SECONDS": str(TASK_SECONDS)}
            verdicts = self._run(recipe, stage, told, None)
            suite = self.hidden.get(recipe)
            hidden = self._run(recipe, stage, told, suite) if suite else []
        return Round(verdicts, hidden)

    def _run(
        self, recipe: str, stage: Path, told: Mapping[str, str], suite: Suite | None
    ) -> list[Verdict]:
        with self._leftovers.lock:
            judging = Judging(recipe, stage / "recipes", self.seconds, told, suite)
            self._leftovers.ours.add(judging.pid)
        self._running.add(judging)
        try:
            with judging:
                if self.cancelled:
                    judging.cancel()
                verdicts = judging.verdicts()
            if (
                judging.trouble
                and not self.cancelled
                and not OF_ANSWERS(judging.trouble)
            ):
                # Whoever judges cannot: that is nobody's grade.
                raise Refusal(f"{recipe} cannot be judged: {judging.trouble}")
            return verdicts
        finally:
            self._running.discard(judging)
            self._leftovers.ours.discard(judging.pid)

    @contextmanager
    def _stage(self, recipe: str, data: bytes) -> Iterator[tuple[Path, int | None]]:
        user = self._users.get() if self.isolation.users else None
        stage = self.stages.stage(recipe, data, user)
        try:
            yield stage, user
        finally:
            try:
                if user is not None:
                    self._leftovers.end_user(user)
                self._leftovers.sweep()
                shutil.rmtree(stage, ignore_errors=True)
            finally:
                if user is not None:
                    self._users.put(user)

    def _watch(self) -> None:
        """End judgings whose answers take too much of the machine."""
        while not self._over.wait(LOOK):
            for judging in self._running.copy():
                with suppress(psutil.Error):
                    top = psutil.Process(judging.pid)
                    below = top.children(recursive=True)
                    taken = 0
                    for each in below:
                        with suppress(psutil.Error):
                            taken += each.memory_info().rss
                    # The servers of several settings run side by side.
                    if len(below) > 2 * MOST_PROCESSES:
                        judging.cancel("The answer started too many processes.")
                    elif taken > MOST_MEMORY:
                        judging.cancel("The answer took too much memory.")


def nothing(recipe: str, why: str, hidden: Mapping[str, Suite]) -> Round:
    """The verdicts on an answer that is not there."""
    verdicts = [Verdict(task, why) for task in tasks(recipe)]
    suite = hidden.get(recipe)
    own = read_toml(suite.tasks, Tasks).task if suite else []
    return Round(verdicts, [Verdict(task, why) for task in own])
