"""Answers that are no apps: one plain sentence for each task, and never a hang."""

import subprocess
import sys
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.judge import judge, judge_file

RECIPE = "r01_setup"
BROKEN = {
    "def": "exercise.py has a syntax error on line 1: ",
    "import sys\nsys.exit(3)": "exercise.py ended the program while it was loaded",
    "import os\nos._exit(4)": "exercise.py ended the program before it served",
    "while True:\n    pass": "exercise.py was not ready after 10 s",
    "x": "exercise.py cannot be loaded: NameError on line 1: name 'x' is not defined",
    "": "exercise.py has no app",
}


@pytest.mark.parametrize("source", BROKEN, ids=lambda text: text[:12] or "empty")
def test_broken_answer(source: str, tmp_path: Path) -> None:
    answer = tmp_path / "an answer.py"
    answer.write_text(source, encoding="utf-8")
    for verdict in judge_file(RECIPE, answer):
        assert BROKEN[source] in verdict.failure
        assert "Traceback" not in verdict.failure


def test_missing_answer(tmp_path: Path) -> None:
    for verdict in judge(RECIPE, tmp_path):
        assert "exercise.py" in verdict.failure
        assert "There is no" in verdict.failure


def test_only_the_exercise_is_taken_from_a_submission(tmp_path: Path) -> None:
    (tmp_path / RECIPE).mkdir()
    (tmp_path / RECIPE / "exercise.py").write_bytes(
        catalog.solution(RECIPE).read_bytes()
    )
    for folder in (tmp_path, tmp_path / RECIPE):
        (folder / "conftest.py").write_text("raise SystemExit('run')", encoding="utf-8")
    assert all(verdict.passed for verdict in judge(RECIPE, tmp_path))


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--submission={tmp_path / 'nowhere'}"],
        cwd=catalog.ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 4
    assert "there is no such folder" in done.stderr
