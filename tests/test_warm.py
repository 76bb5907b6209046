"""Processes that are forked: what they see, how they end, and that they outlive nobody.

The module that they run is `timeit`, which runs the code in its last argument.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from recipes.workbench import catalog
from recipes.workbench.servers.starting import (
    Forked,
    Kind,
    Process,
    address_of,
    start,
    warm,
)
from tests.helpers.lines import HANGS, Lines, has_ended

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows cannot fork: all is started anew there"
)
BOUND = 10.0
KIND = Kind("WORKBOOK_WARM_FOR_A_TEST", ["fractions", "there_is_no_such_module"])


Run = Callable[..., Process]


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts code, warm; what still runs at the end is ended."""
    processes: list[Process] = []

    def started(code: str, **environment: str) -> Process:
        arguments = ["-n1", "-r1", code]
        processes.append(start(KIND, "timeit", arguments, environment))
        return processes[-1]

    with warm(KIND):
        yield started
    for process in processes:
        process.kill()
        process.wait(BOUND)
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("1 / 0", 1),
        ("import os; os._exit(4)", 4),
        ("import os; os.kill(os.getpid(), 15)", -15),
    ],
)
def test_exit_status(run: Run, code: str, status: int) -> None:
    process = run(code)
    assert isinstance(process, Forked)
    assert process.wait(BOUND) == status
    assert process.poll() == status


def test_it_sees_what_a_new_python_would(run: Run) -> None:
    code = (
        "import os, sys\n"
        "print(sys.stdin.readline().strip(), file=sys.stderr)\n"
        "print(sorted(os.environ), sys.argv[1:3], os.getcwd(), sys.path[1])\n"
        "print('fractions' in sys.modules, os.getpgrp() == os.getpid())\n"
    )
    process = run(code, NAME="ä")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"said\n")
    assert process.stderr.readline() == b"said\n"
    home = str(catalog.ROOT)
    wanted = f"['NAME'] ['-n1', '-r1'] {home} {home}\nTrue True\n"
    said = process.stdout.readline() + process.stdout.readline()
    assert said.decode() == wanted
    assert process.wait(BOUND) == 0


def test_a_time_limit(run: Run) -> None:
    process = run("input()")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.poll() is None
    process.kill()
    assert process.wait(BOUND) == -9


ASKS = """
import sys
from recipes.workbench.servers.starting import Kind, start
start(Kind(*sys.argv[1:2], []), "timeit", ["-n1", sys.argv[2]], {}).wait()
"""


@pytest.mark.parametrize("deaf", [HANGS, "import re; re.match('(a*)*b', 'a' * 40)\n"])
def test_it_ends_with_whoever_asked_for_it(deaf: str) -> None:
    """Also if it listens to nobody: while it searches, no other thread of it runs."""
    with warm(KIND), Lines() as lines:
        code = lines.source + deaf
        asking = subprocess.Popen(
            [sys.executable, "-c", ASKS, KIND.variable, code], cwd=catalog.ROOT
        )
        line = lines.accept()
        asking.kill()
        asking.wait(BOUND)
        assert has_ended(line)


def test_a_copy_of_the_workbook_has_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = address_of(KIND)
    assert address
    (tmp_path / "recipes").symlink_to(catalog.RECIPES)
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    assert address_of(KIND) == ""
    assert isinstance(run("pass"), subprocess.Popen)
    with warm(KIND):
        assert address_of(KIND) not in {"", address}
        process = run("import os; print(os.getcwd())")
        assert isinstance(process, Forked)
        assert process.stdout is not None
        assert process.stdout.readline().decode() == f"{tmp_path}\n"
    monkeypatch.undo()
    assert address_of(KIND) == address


def test_a_warm_python_that_was_ended(run: Run) -> None:
    every: list[psutil.Process] = []
    deadline = time.monotonic() + BOUND
    while not every and time.monotonic() < deadline:  # it may be on its way
        every = [
            child
            for child in psutil.Process().children()
            if "there_is_no_such_module" in child.cmdline()
        ]
    [warm_one] = every
    warm_one.kill()
    warm_one.wait(BOUND)
    process = run("pass")
    assert isinstance(process, subprocess.Popen)
    assert process.wait(BOUND) == 0


def test_it_is_shared_with_children_and_gone_at_the_end() -> None:
    with warm(KIND):
        address = address_of(KIND)
        with warm(KIND):
            assert address_of(KIND) == address
        assert Path(address).exists()
    assert KIND.variable not in os.environ
    assert not Path(address).exists()
