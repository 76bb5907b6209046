"""`python -m recipes`, tried on a copy of the workbook, since it changes exercises."""

import ast
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from recipes.workbench import catalog
from recipes.workbench.servers.server import START_TIMEOUT
from tests.helpers.lines import (
    HANGS,
    Lines,
    has_ended,
    pytest_below,
    waits_in_the_last_task,
)
from tests.helpers.pages import LONG_BOUND as BOUND
from tests.helpers.pages import copy_of_the_workbook, run

pytestmark = pytest.mark.slow

# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_workbook(tmp_path_factory.mktemp("terminal"))


@pytest.fixture(autouse=True)
def untouched(workbook: Path) -> None:
    """Each test begins with the starter of recipe 1."""
    starter = workbook / "tests" / "starters" / "r01_setup" / "exercise.py"
    shutil.copy(starter, workbook / "recipes" / "r01_setup" / "exercise.py")


def solve(workbook: Path, recipe: str) -> Path:
    answer = workbook / "recipes" / recipe / "exercise.py"
    shutil.copy(workbook / "solutions" / recipe / "exercise.py", answer)
    return answer


def test_untouched(workbook: Path) -> None:
    status, said = run(workbook, "progress")
    assert status == 0
    assert said.count("not begun") == len(catalog.recipes())
    assert "check r01_setup" in said
    status, said = run(workbook, "check")
    assert status == 1
    assert "expected: 'Welcome, Ada!'" in said


@with_solutions
def test_from_hint_to_solution_to_reset(workbook: Path) -> None:
    status, said = run(workbook, "hint", "1", "2")
    assert status == 0
    assert "Hint 2 of 3: Put it into the text" in said
    status, said = run(workbook, "solution", "r01")
    assert status == 1
    assert "--anyway" in said
    assert 'reason="Bye!"' in run(workbook, "solution", "r01", "--anyway")[1]
    answer = solve(workbook, "r01_setup")
    status, said = run(workbook, "check", "setup")
    assert status == 0
    assert "Next: recipes/r02_send_receive/README.md" in said
    assert run(workbook, "solution", "r01")[0] == 0
    assert "2 of 2 tasks" in run(workbook, "progress")[1]
    status, said = run(workbook, "reset", "r01")
    assert status == 0
    assert "exercise_before_reset_1.py" in said
    assert "TODO" in answer.read_text(encoding="utf-8")
    kept = answer.with_name("exercise_before_reset_1.py")
    assert "Bye!" in kept.read_text(encoding="utf-8")


def test_unknown_recipe(workbook: Path) -> None:
    status, said = run(workbook, "check", "r99")
    assert status == 2
    assert "r01_setup" in said
    assert "Traceback" not in said


@contextlib.contextmanager
def running(
    workbook: Path, *arguments: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], "queue.Queue[str]"]]:
    """A command, and the lines that it prints; it is killed at the end."""
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "recipes", *arguments],
        cwd=workbook,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        output = process.stdout

        def follow() -> None:
            for line in output:
                lines.put(line)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield process, lines
        finally:
            process.kill()
            thread.join(timeout=BOUND)


def until(lines: "queue.Queue[str]", wanted: str) -> list[str]:
    """The lines up to the one with this in it, without colours and the like."""
    came: list[str] = []
    while not came or wanted not in came[-1]:
        line = lines.get(timeout=BOUND)
        came.append(re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line).strip())
    return came


@with_solutions
def test_watch_judges_at_each_save(workbook: Path) -> None:
    with running(workbook, "watch", "r02") as (_, lines):
        until(lines, "Waiting for you to save")
        solve(workbook, "r02_send_receive")
        until(lines, "All passed")


@with_solutions
def test_watch_misses_no_save(workbook: Path) -> None:
    """What is saved while an answer is judged is judged next."""
    answer = workbook / "recipes" / "r01_setup" / "exercise.py"
    with Lines() as hold:
        answer.write_text(hold.source + HANGS, encoding="utf-8")
        with running(workbook, "watch", "r01") as (_, lines):
            line = hold.accept()
            solve(workbook, "r01_setup")
            line.sendall(b".")
            until(lines, "has no app")
            until(lines, "All passed")


@with_solutions
@pytest.mark.parametrize("command", ["check", "watch"])
def test_a_terminal_shows_each_task_as_it_is_done(workbook: Path, command: str) -> None:
    answer = workbook / "recipes" / "r01_setup" / "exercise.py"
    with Lines() as hold:
        answer.write_text(waits_in_the_last_task(hold), encoding="utf-8")
        # With this, rich takes a pipe for a terminal.
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm"}
        with running(workbook, command, "r01", **terminal) as (_, lines):
            came = until(lines, "passed  A client")
            line = hold.accept()
            # The second task runs and is not told yet.
            assert not any("passed  After the greeting" in text for text in came)
            line.sendall(b".")
            came += until(lines, "passed  After the greeting")
            came += until(lines, "Next: recipes/r02_send_receive")
    # It shows what is printed elsewhere, and nothing twice.
    solve(workbook, "r01_setup")
    _, said = run(workbook, "check", "r01")
    assert "passed  After the greeting" in said
    for text in filter(None, said.splitlines()):
        assert came.count(text.strip()) == 1


@with_solutions
def test_a_terminal_shows_trouble_last(workbook: Path) -> None:
    """A report that says something else than the news has the last word."""
    answer = workbook / "recipes" / "r01_setup" / "exercise.py"
    with Lines() as hold:
        answer.write_text(waits_in_the_last_task(hold), encoding="utf-8")
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm"}
        with running(workbook, "check", "r01", **terminal) as (process, lines):
            until(lines, "passed  A client")
            line = hold.accept()
            pytest_below(psutil.Process(process.pid)).kill()
            assert has_ended(line)
            until(lines, "failed  A client")
            until(lines, "failed  After the greeting")
            assert process.wait(timeout=BOUND) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")
@pytest.mark.parametrize("command", ["progress", "check", "watch", "hint"])
def test_ctrl_c_ends_the_judging(workbook: Path, command: str) -> None:
    answer = workbook / "recipes" / "r01_setup" / "exercise.py"
    with Lines() as hold:
        answer.write_text(hold.source + HANGS, encoding="utf-8")
        arguments = [] if command == "progress" else ["r01"]
        with running(workbook, command, *arguments) as (process, _):
            line = hold.accept()
            process.send_signal(signal.SIGINT)
            since = time.monotonic()
            assert has_ended(line)
            process.wait(timeout=BOUND)
            # Not since the answer took too long, which is another end.
            assert time.monotonic() - since < START_TIMEOUT / 2


# What is remembered


@with_solutions
def test_progress_is_remembered(workbook: Path, tmp_path: Path) -> None:
    answer = solve(workbook, "r01_setup")
    loaded = tmp_path / "loaded.txt"
    solution = answer.read_text(encoding="utf-8")
    note = f"open({str(loaded)!r}, 'a').write('x')\n"
    answer.write_text(note + solution, encoding="utf-8")
    first = run(workbook, "progress")
    assert "2 of 2 tasks" in first[1]
    times = loaded.read_text(encoding="utf-8")
    assert times
    # From now on without judging, which is what takes time.
    assert run(workbook, "progress") == first
    assert run(workbook, "solution", "r01")[0] == 0
    assert "nothing to hint at" in run(workbook, "hint", "r01")[1]
    assert loaded.read_text(encoding="utf-8") == times
    # Who asks for a judgement gets one.
    assert run(workbook, "check", "r01")[0] == 0
    assert len(loaded.read_text(encoding="utf-8")) > len(times)
    answer.write_text(note + solution.replace("Bye!", "Hm"), encoding="utf-8")
    assert "1 of 2 tasks" in run(workbook, "progress")[1]
    assert "Hint 1 of 3" in run(workbook, "hint", "r01")[1]


@with_solutions
def test_progress_where_nothing_can_be_written(workbook: Path) -> None:
    solve(workbook, "r01_setup")
    cache = workbook / ".workbench_cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_bytes(b"This is no folder.")
    try:
        for _ in range(2):
            status, said = run(workbook, "progress")
            assert status == 0
            assert "2 of 2 tasks" in said
            assert "Traceback" not in said
        assert cache.read_bytes() == b"This is no folder."
    finally:
        cache.unlink()


@pytest.fixture(scope="module")
def edition(workbook: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A students' edition, with untouched exercises."""
    edition = tmp_path_factory.mktemp("students") / "edition"
    leave_out = shutil.ignore_patterns(
        *("solutions", "wrong_answers", "right_answers", "__pycache__"),
        "exercise_before_reset_*",  # an answer that a test before has put aside
    )
    shutil.copytree(workbook, edition, ignore=leave_out)
    for recipe in catalog.recipes():
        shutil.copy(
            catalog.starter(recipe), edition / "recipes" / recipe / "exercise.py"
        )
    return edition


def run_pytest(edition: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=edition,
        capture_output=True,
        encoding="utf-8",
        timeout=BOUND,
    )
    return done.returncode, done.stdout


def test_students_edition(edition: Path) -> None:
    status, said = run_pytest(edition, "--mine", "tests/test_r01_setup.py")
    assert status == 1
    assert "2 failed" in said
    assert run(edition, "solution", "r01")[0] == 1


def test_students_edition_passes_its_own_suite(edition: Path) -> None:
    suites = ["tests/test_r01_setup.py", "tests/test_workbook.py"]
    # Judging all the starters takes long, and is the same here as there.
    status, said = run_pytest(edition, *suites, "-k", "not starter")
    assert status == 0, said


@with_solutions
@pytest.mark.parametrize("recipe", catalog.recipes())
def test_students_edition_holds_no_answer(recipe: str, edition: Path) -> None:
    """No file has all the lines that lead from the starter to the reference."""
    given = code_lines(catalog.starter(recipe))
    answer = code_lines(catalog.solution(recipe)) - given
    assert answer
    for file in edition.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            if file.suffix == ".ipynb":
                cells = json.loads(text)["cells"]
                text = "\n".join("".join(cell["source"]) for cell in cells)
            assert not answer <= {line.strip() for line in text.splitlines()}, file


def code_lines(file: Path) -> set[str]:
    """The lines of its code, without docstring and comments."""
    text = file.read_text(encoding="utf-8")
    docstring = ast.parse(text).body[0]
    lines = [line.strip() for line in text.splitlines()[docstring.end_lineno :]]
    return {line for line in lines if line and not line.startswith("#")}
