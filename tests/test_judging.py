"""Answers that are no apps: one plain sentence for each task, and never a hang.

And what is told while an answer is judged, and how a judging is cancelled.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises import judge as judge_module
from recipes.workbench.exercises.judge import (
    CANCELLED,
    ENDED,
    Begun,
    Judging,
    Verdict,
    judge,
    judge_file,
    understood,
)
from recipes.workbench.servers.server import START_TIMEOUT
from recipes.workbench.tasks import tasks
from tests.helpers.lines import (
    HANGS,
    Lines,
    has_ended,
    pytest_below,
    waits_in_the_last_task,
)

pytestmark = pytest.mark.slow

RECIPE = "r01_setup"
BOUND = 30.0
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


# What is told meanwhile


@pytest.fixture
def lines() -> Iterator[Lines]:
    with Lines() as lines:
        yield lines


def handed_in(folder: Path, recipe: str, source: str) -> Path:
    """A folder of answers with this one in it."""
    (folder / recipe).mkdir(exist_ok=True)
    (folder / recipe / "exercise.py").write_text(source, encoding="utf-8")
    return folder


@with_solutions
def test_news_come_while_a_later_task_runs(tmp_path: Path, lines: Lines) -> None:
    source = waits_in_the_last_task(lines)
    with Judging(RECIPE, handed_in(tmp_path, RECIPE, source)) as judging:
        first, last = judging.tasks
        news = judging.news()
        assert next(news) == Begun(first)
        assert next(news) == Verdict(first, "")
        assert next(news) == Begun(last)
        # The test of the last task runs, for its handler waits.
        line = lines.accept()
        pytest_itself = pytest_below(psutil.Process())
        assert pytest_itself.is_running()
        line.sendall(b".")
        assert list(news) == [Verdict(last, "")]
        assert judging.verdicts() == [Verdict(first, ""), Verdict(last, "")]
        assert list(judging) == judging.verdicts()
        assert not judging.trouble


def test_news_tell_why_a_task_failed(tmp_path: Path) -> None:
    with Judging(RECIPE, tmp_path) as judging:
        told = list(judging)
        assert [verdict.task for verdict in told] == tasks(RECIPE)
        assert all("There is no" in verdict.failure for verdict in told)
        assert told == judging.verdicts()


# An answer that no order reaches: while it searches, no other thread of it runs.
DEAF = "import re; re.match('(a*)*b', 'a' * 40)\n"


@pytest.mark.parametrize("source", [HANGS, DEAF], ids=["hangs", "deaf"])
def test_cancel_ends_pytest_and_its_servers(
    source: str, tmp_path: Path, lines: Lines
) -> None:
    answers = handed_in(tmp_path, RECIPE, lines.source + source)
    with Judging(RECIPE, answers) as judging:
        line = lines.accept()
        pytest_itself = pytest_below(psutil.Process())
        came: list[Verdict] = []
        reader = threading.Thread(target=lambda: came.extend(judging))
        reader.start()
        since = time.monotonic()
        judging.cancel()
        judging.cancel()
        reader.join(timeout=BOUND)
        assert not reader.is_alive()
        assert came == []
        assert {verdict.failure for verdict in judging.verdicts()} == {CANCELLED}
        assert not pytest_itself.is_running()
        assert has_ended(line)
        assert time.monotonic() - since < 1


def test_leaving_cancels(tmp_path: Path, lines: Lines) -> None:
    answers = handed_in(tmp_path, RECIPE, lines.source + HANGS)
    with Judging(RECIPE, answers):
        line = lines.accept()
        pytest_itself = pytest_below(psutil.Process())
    assert not pytest_itself.is_running()
    assert has_ended(line)


def test_cancel_after_the_end_changes_nothing(tmp_path: Path) -> None:
    with Judging(RECIPE, tmp_path) as judging:
        verdicts = judging.verdicts()
        judging.cancel()
        assert judging.verdicts() == verdicts
        assert not judging.trouble


def test_judging_is_bounded(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_module, "JUDGE_TIMEOUT", 2.0)
    answers = handed_in(tmp_path, RECIPE, lines.source + HANGS)
    with Judging(RECIPE, answers) as judging:
        line = lines.accept()
        assert "more than 2 s" in judging.verdicts()[0].failure
        assert judging.trouble
        assert has_ended(line)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is killed so there")
def test_nothing_outlives_who_judges(tmp_path: Path, lines: Lines) -> None:
    answers = handed_in(tmp_path, RECIPE, lines.source + HANGS)
    code = (
        "import sys; from pathlib import Path; "
        "from recipes.workbench.exercises.judge import *; "
        f"judge({RECIPE!r}, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(answers)]
    since = time.monotonic()
    with subprocess.Popen(command, cwd=catalog.ROOT) as judge_process:
        line = lines.accept()
        judge_process.kill()
    # It ends when pytest has ended.
    assert has_ended(line)
    # Not since its start took too long, which is another end.
    assert time.monotonic() - since < START_TIMEOUT


NO_NEWS = [
    *(b"", b"\n", b"\xff\n", b"[1]\n", b"1\n", b"[" * 100_000, b"9" * 5_000 + b"\n"),
    *(b"{}\n", b'{"event": "done"}\n', b'{"event": "done", "name": []}\n'),
    b'{"event": "done", "name": "test_says_bye", "failure": 5}\n',
    b'{"event": "done", "name": "test_says_nothing", "failure": ""}\n',
    b'{"event": "ended", "name": "test_says_bye"}\n',
]


@pytest.mark.parametrize("line", NO_NEWS, ids=lambda line: str(line[:40]))
def test_no_news(line: bytes) -> None:
    assert understood(line, {task.name: task for task in tasks(RECIPE)}) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this needs /proc")
def test_forged_news_decide_nothing(tmp_path: Path) -> None:
    """An answer may write to where pytest tells its news."""
    first, last = tasks(RECIPE)
    forged = b"\xff[]\n{\n"
    for name in (last.name, last.name, "test_that_is_none", first.name):
        event = {"event": "done", "name": name, "failure": ""}
        forged += json.dumps(event).encode() + b"\n"
    source = (
        "import glob, pathlib\n"
        "mine = f'--submission={pathlib.Path(__file__).parents[1]}'.encode()\n"
        "for process in map(pathlib.Path, glob.glob('/proc/[0-9]*')):\n"
        "    if mine in (process / 'cmdline').read_bytes():\n"
        "        for end in (process / 'fd').iterdir():\n"
        "            if end.resolve().name == 'told.jsonl':\n"
        "                with open(end, 'ab') as told:\n"
        f"                    told.write({forged!r})\n"
    )
    since = time.monotonic()
    with Judging(RECIPE, handed_in(tmp_path, RECIPE, source)) as judging:
        told = list(judging)
        assert [verdict.task for verdict in told] == [last, first]
        assert all(verdict.passed for verdict in told)
        assert [verdict.passed for verdict in judging.verdicts()] == [False, False]
    assert time.monotonic() - since < 6


def test_killed_from_outside(tmp_path: Path, lines: Lines) -> None:
    answers = handed_in(tmp_path, RECIPE, lines.source + HANGS)
    with Judging(RECIPE, answers) as judging:
        line = lines.accept()
        pytest_itself = pytest_below(psutil.Process())
        pytest_itself.kill()
        assert has_ended(line)
        assert judging.verdicts()[0].failure
        assert judging.trouble
        if sys.platform != "win32":
            assert judging.trouble == ENDED


def test_pytest_that_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_PLUGINS", "there_is_no_such_plugin")
    with Judging(RECIPE, tmp_path) as judging:
        assert "there_is_no_such_plugin" in judging.verdicts()[0].failure
        assert judging.trouble
