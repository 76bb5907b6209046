"""`python -m recipes`, tried on a copy of the workbook, since it changes exercises."""

import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recipes.workbench import catalog

BOUND = 60.0
# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workbook with untouched exercises, in a folder with a space."""
    copy = tmp_path_factory.mktemp("a workbook") / "copy"
    leave_out = shutil.ignore_patterns(".*", "__pycache__", "exercise_before_reset_*")
    shutil.copytree(catalog.ROOT, copy, ignore=leave_out)
    for recipe in catalog.recipes():
        starter = copy / "tests" / "mutants" / recipe / "starter.py"
        shutil.copy(starter, copy / "recipes" / recipe / "exercise.py")
    return copy


def run(workbook: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "recipes", *arguments],
        cwd=workbook,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=BOUND,
    )
    return done.returncode, done.stdout


def solve(workbook: Path, recipe: str) -> Path:
    answer = workbook / "recipes" / recipe / "exercise.py"
    shutil.copy(workbook / "solutions" / recipe / "exercise.py", answer)
    return answer


def test_untouched(workbook: Path) -> None:
    status, said = run(workbook)
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


@with_solutions
def test_watch_judges_at_each_save(workbook: Path) -> None:
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "recipes", "watch", "r02"],
        cwd=workbook,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as watching:
        assert watching.stdout is not None
        output = watching.stdout

        def follow() -> None:
            for line in output:
                lines.put(line)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            while "Waiting for you to save" not in lines.get(timeout=BOUND):
                pass
            # The watch begins right after that line; a save may have to be repeated.
            while True:
                solve(workbook, "r02_send_receive")
                try:
                    while "All passed" not in lines.get(timeout=5):
                        pass
                    break
                except queue.Empty:
                    assert watching.poll() is None
        finally:
            watching.kill()
            thread.join(timeout=BOUND)


def test_students_edition(workbook: Path, tmp_path: Path) -> None:
    edition = tmp_path / "edition"
    leave_out = shutil.ignore_patterns("solutions", "__pycache__")
    shutil.copytree(workbook, edition, ignore=leave_out)
    suite = "tests/test_r01_setup.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--mine", "-q", suite],
        cwd=edition,
        capture_output=True,
        encoding="utf-8",
        timeout=BOUND,
    )
    assert done.returncode == 1
    assert "2 failed" in done.stdout
    assert run(edition, "solution", "r01")[0] == 1
