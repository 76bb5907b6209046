"""Answers that are no apps: one plain sentence for each task, and never a hang."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.judge import judge, judge_file, tasks

RECIPE = "r01_setup"
# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)

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


# Put before the reference, these leave it right, and make trouble beside.
TROUBLE = {
    "writes where it should not": (
        "import os\n"
        "for n in range(3, 30):\n"
        "    try:\n"
        '        os.write(n, b\'\\xff[1]\\n[]\\n{"event": "crash"}\\n\')\n'
        "    except OSError:\n"
        "        pass\n"
    ),
    "leaves a process behind": (
        "import subprocess, sys\n"
        "late = [sys.executable, '-c', 'import time; time.sleep(8)']\n"
        "subprocess.Popen(late, start_new_session=True)\n"
    ),
}


@with_solutions
@pytest.mark.parametrize("trouble", TROUBLE)
def test_right_answer_that_makes_trouble(trouble: str, tmp_path: Path) -> None:
    solution = catalog.solution(RECIPE).read_text(encoding="utf-8")
    answer = tmp_path / "exercise.py"
    answer.write_text(TROUBLE[trouble] + solution, encoding="utf-8")
    since = time.monotonic()
    assert all(verdict.passed for verdict in judge_file(RECIPE, answer))
    assert time.monotonic() - since < 15


def test_forged_report(tmp_path: Path) -> None:
    """An answer may write pytest's report, and end pytest before that does."""
    cases = "".join(f'<testcase name="{task.name}"/>' for task in tasks(RECIPE))
    answer = tmp_path / "exercise.py"
    answer.write_text(
        "import os\n"
        "command = open(f'/proc/{os.getppid()}/cmdline').read().split('\\0')\n"
        "for word in command:\n"
        "    if word.startswith('--junitxml='):\n"
        "        with open(word.partition('=')[2], 'w') as report:\n"
        f"            report.write('<testsuite>{cases}</testsuite>')\n"
        "os.kill(os.getppid(), 9)\n",
        encoding="utf-8",
    )
    assert [v for v in judge_file(RECIPE, answer) if v.passed] == []


@with_solutions
def test_a_long_difference_is_told_shortly(tmp_path: Path) -> None:
    recipe = "r02_send_receive"
    solution = catalog.solution(recipe).read_text(encoding="utf-8")
    assert "send_bytes(" in solution
    answer = tmp_path / "exercise.py"
    answer.write_text(
        solution.replace("send_bytes(", "send_bytes(b'x' * 9_999_999 + "),
        encoding="utf-8",
    )
    since = time.monotonic()
    failed = [v for v in judge_file(recipe, answer) if not v.passed]
    assert len(failed) >= 2
    assert all(len(verdict.failure) < 10_000 for verdict in failed)
    assert time.monotonic() - since < 15


def test_answer_that_drips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait has come to its end in time, and all together would not."""
    recipe = "r03_disconnects"
    answer = tmp_path / "exercise.py"
    answer.write_text(
        "import asyncio\n"
        "from fastapi import FastAPI\n"
        "from fastapi.responses import StreamingResponse\n"
        "app = FastAPI()\n"
        "async def drops():\n"
        "    while True:\n"
        "        yield b' '\n"
        "        await asyncio.sleep(1)\n"
        "@app.get('/connections')\n"
        "async def connections():\n"
        "    return StreamingResponse(drops())\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("WORKBOOK_TEST_SECONDS", "1")
    assert [v for v in judge_file(recipe, answer) if v.passed] == []


@with_solutions
def test_answer_that_ends_its_program_in_the_handler(tmp_path: Path) -> None:
    recipe = "r04_errors"
    solution = catalog.solution(recipe).read_text(encoding="utf-8")
    (tmp_path / recipe).mkdir()
    (tmp_path / recipe / "exercise.py").write_text(
        solution.replace("    wrong = 0\n", "    import os; os._exit(1)\n", 1),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", str(catalog.tests(recipe))]
    done = subprocess.run(
        [*command, f"--submission={tmp_path}"],
        cwd=catalog.ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 1
    assert "5 failed" in done.stdout
    assert "Nobody answers any more" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@with_solutions
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
