"""What terminal and page know of a learner's exercises, and what is remembered of it.

All this happens in a copy of the workbook, so nothing of yours is touched.
"""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises import judge, practice, remembered
from recipes.workbench.exercises.judge import CANCELLED, Judging, Verdict
from recipes.workbench.tasks import Task

RECIPE, OTHER = "r01_setup", "r05_chat"
# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)
NO_APP = "app = None\n"


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy with two recipes, whose exercises are untouched."""
    leave_out = shutil.ignore_patterns("__pycache__", "*.png", "r0[!15]*", ".*")
    for folder in (catalog.RECIPES, catalog.TESTS, catalog.SOLUTIONS):
        if folder.is_dir():
            shutil.copytree(folder, tmp_path / folder.name, ignore=leave_out)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(catalog.ROOT / name, tmp_path / name)
    for name in ("RECIPES", "TESTS", "SOLUTIONS", "STARTERS"):
        place = tmp_path / getattr(catalog, name).relative_to(catalog.ROOT)
        monkeypatch.setattr(catalog, name, place)
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    monkeypatch.setattr(remembered, "CACHE", tmp_path / ".workbench_cache")
    for recipe in (RECIPE, OTHER):
        shutil.copy(catalog.starter(recipe), catalog.exercise(recipe))
    return tmp_path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recipes that were judged so far."""
    recipes: list[str] = []

    def counting(recipe: str, answers: Path) -> Judging:
        recipes.append(recipe)
        return Judging(recipe, answers)

    monkeypatch.setattr(practice, "Judging", counting)
    return recipes


def solve(recipe: str) -> None:
    shutil.copy(catalog.solution(recipe), catalog.exercise(recipe))


def kept() -> list[str]:
    """The names of what lies in the cache."""
    return sorted(file.name for file in remembered.CACHE.glob("*"))


# What is remembered


@with_solutions
def test_judged_once_for_each_state(workbook: Path, judged: list[str]) -> None:
    assert remembered.known(RECIPE) is None
    untouched = practice.standing(RECIPE)
    assert practice.standing(RECIPE) == untouched
    assert judged == [RECIPE]
    assert len(untouched) == 2
    assert not any(verdict.passed for verdict in untouched)
    solve(RECIPE)
    assert practice.passed(practice.standing(RECIPE))
    assert practice.passed(practice.standing(RECIPE))
    assert judged == 2 * [RECIPE]
    # Once more the first state, of which nothing is kept any more.
    shutil.copy(catalog.starter(RECIPE), catalog.exercise(RECIPE))
    assert practice.standing(RECIPE) == untouched
    assert judged == 3 * [RECIPE]
    assert kept() == [f"{RECIPE}.json"]


def test_mine_is_judged_anew(workbook: Path, judged: list[str]) -> None:
    assert practice.mine(RECIPE) == practice.mine(RECIPE)
    assert practice.standing(RECIPE)
    assert judged == 2 * [RECIPE]


MATTERS = [
    *(f"recipes/{OTHER}/exercise.py", f"recipes/{OTHER}/ws_manager.py"),
    *(f"recipes/{OTHER}/templates/chatroom.html", f"recipes/{OTHER}/static/chat.js"),
    *(f"recipes/{OTHER}/static/chat.css", f"recipes/{OTHER}/of_mine/names.txt"),
    *(f"recipes/{OTHER}/tasks.toml", "recipes/__init__.py"),
    *("recipes/workbench/tasks.py", "recipes/workbench/exercises/judge.py"),
    *("recipes/workbench/judging/reporter.py", "recipes/workbench/judging/plugin.py"),
    *("recipes/workbench/servers/child.py", f"tests/test_{OTHER}.py"),
    *("pyproject.toml", "requirements.txt"),
]
MATTERS_NOT = [
    *(f"recipes/{OTHER}/README.md", f"recipes/{OTHER}/images/chat.png"),
    *(f"recipes/{OTHER}/exercise_before_reset_1.py", f"recipes/{OTHER}/exercise.py~"),
    *(f"recipes/{OTHER}/.exercise.py.swp", f"recipes/{OTHER}/.a_cache/x.json"),
    *(f"recipes/{RECIPE}/exercise.py", f"tests/test_{RECIPE}.py"),
    f"recipes/{OTHER}/__pycache__/exercise.cpython-311.pyc",
]


@pytest.mark.parametrize("name", MATTERS + MATTERS_NOT)
def test_what_verdicts_depend_on(workbook: Path, name: str) -> None:
    before = remembered.key_of(OTHER)
    assert remembered.key_of(OTHER) == before
    file = workbook / name
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as text:
        text.write("\n")
    assert (remembered.key_of(OTHER) != before) == (name in MATTERS)
    file.unlink()
    if name in MATTERS and "of_mine" not in name:
        assert remembered.key_of(OTHER) != before


def test_what_moves_from_file_to_file_matters(workbook: Path) -> None:
    one, other = (catalog.RECIPES / RECIPE / name for name in ("a.py", "b.py"))
    keys = set()
    for first, second in (("x", "y"), ("xy", ""), ("", "xy"), ("y", "x")):
        one.write_text(first, encoding="utf-8")
        other.write_text(second, encoding="utf-8")
        keys.add(remembered.key_of(RECIPE))
    other.unlink()
    keys.add(remembered.key_of(RECIPE))
    assert len(keys) == 5


@pytest.mark.parametrize("back", [False, True], ids=["kept", "taken back"])
def test_a_save_meanwhile_leaves_it_open(workbook: Path, back: bool) -> None:
    exercise = catalog.exercise(RECIPE)
    before = exercise.read_bytes()
    with practice.judging(RECIPE) as running:
        exercise.write_text(NO_APP, encoding="utf-8")
        if back:
            exercise.write_bytes(before)
        assert len(running.verdicts()) == 2
    assert remembered.known(RECIPE) is None
    assert kept() == []


def test_trouble_is_not_remembered(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with practice.judging(RECIPE) as running:
        pass  # not even wait for the verdicts
    assert running.trouble == CANCELLED
    assert remembered.known(RECIPE) is None
    with practice.judging(RECIPE) as running:
        practice.cancel_all()
        assert {verdict.failure for verdict in running.verdicts()} == {CANCELLED}
    assert remembered.known(RECIPE) is None
    monkeypatch.setattr(judge, "JUDGE_TIMEOUT", 0.01)
    assert "more than" in practice.mine(RECIPE)[0].failure
    assert remembered.known(RECIPE) is None
    monkeypatch.setattr(judge, "JUDGE_TIMEOUT", 60)
    assert "more than" not in practice.mine(RECIPE)[0].failure
    assert remembered.known(RECIPE) is not None


TASK = {"test": "test_name", "title": "title", "level": "core", "hints": ["hint"]}
FOREIGN: list[Any] = [
    *(b"", b"\xff", b"[" * 100_000, b'{"key": "KEY", "verdicts": ['),
    *(5, [], {}, {"key": "KEY"}, {"verdicts": []}, {"key": ["KEY"], "verdicts": []}),
    {"key": "KEY", "verdicts": 5},
    {"key": "KEY", "verdicts": []},
    {"key": "KEY", "verdicts": ["abcde"]},
    {"key": "KEY", "verdicts": [[TASK, 5]]},
    {"key": "KEY", "verdicts": [[TASK, None]]},
    {"key": "KEY", "verdicts": [[TASK, "failure", "more"]]},
    {"key": "KEY", "verdicts": [[TASK | {"hints": "hint"}, ""]]},
    {"key": "KEY", "verdicts": [[TASK | {"hints": [5]}, ""]]},
    {"key": "another", "verdicts": [[TASK, ""]]},
]


@pytest.mark.parametrize("what", FOREIGN, ids=lambda what: repr(what)[:60])
def test_foreign_memory_is_passed_over(workbook: Path, what: Any) -> None:
    remembered.CACHE.mkdir()
    data = what if isinstance(what, bytes) else json.dumps(what).encode()
    data = data.replace(b"KEY", remembered.key_of(RECIPE).encode())
    (remembered.CACHE / f"{RECIPE}.json").write_bytes(data)
    assert remembered.known(RECIPE) is None


def test_own_memory(workbook: Path) -> None:
    """The counterpart of the above: this is what passes."""
    told = [Verdict(Task.model_validate(TASK), "ein Ärger\ud800")]
    remembered.remember(RECIPE, remembered.key_of(RECIPE), told)
    assert remembered.known(RECIPE) == told


def no_folder(cache: Path) -> None:
    cache.write_bytes(b"a file")


def no_file(cache: Path) -> None:
    (cache / f"{RECIPE}.json").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [no_folder, no_file])
def test_without_a_memory(
    workbook: Path, judged: list[str], spoil: Callable[[Path], None]
) -> None:
    spoil(remembered.CACHE)
    assert len(practice.standing(RECIPE)) == 2
    assert len(practice.standing(RECIPE)) == 2
    assert judged == 2 * [RECIPE]
    # Nothing half written is left either.
    assert kept() in ([], [f"{RECIPE}.json"])


def test_readers_see_all_or_nothing(workbook: Path) -> None:
    key = remembered.key_of(RECIPE)
    verdicts = practice.standing(RECIPE)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            remembered.remember(RECIPE, key, verdicts)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write), pool.submit(write)]
        try:
            assert all(remembered.known(RECIPE) == verdicts for _ in range(50))
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert kept() == [f"{RECIPE}.json"]


# Around the exercises


@with_solutions
def test_progress(workbook: Path, judged: list[str]) -> None:
    not_begun = practice.Progress(OTHER, begun=False)
    assert practice.progress() == [practice.Progress(RECIPE, begun=False), not_begun]
    assert practice.next_recipe() == RECIPE
    assert judged == []
    exercise = catalog.exercise(RECIPE)
    solution = catalog.solution(RECIPE).read_text(encoding="utf-8")
    exercise.write_text(solution.replace("Bye!", "Hm"), encoding="utf-8")
    half = practice.Progress(RECIPE, True, 1, 2)
    assert practice.progress() == [half, not_begun]
    assert not half.passed
    assert practice.next_recipe() == RECIPE
    solve(RECIPE)
    done, _ = practice.progress()
    assert done == practice.Progress(RECIPE, True, 2, 2)
    assert done.passed
    assert practice.next_recipe() == OTHER
    assert judged == 2 * [RECIPE]
    exercise.unlink()
    assert practice.progress_of(RECIPE) == practice.Progress(RECIPE, begun=False)


@with_solutions
def test_hint(workbook: Path) -> None:
    hints = practice.standing(RECIPE)[0].task.hints
    assert len(hints) == 3
    for n, found in ((-1, 1), (1, 1), (2, 2), (3, 3), (4, 3), (99, 3)):
        hint = practice.hint(RECIPE, n)
        assert hint is not None
        assert (hint.n, hint.total, hint.text) == (found, 3, hints[found - 1])
        assert hint.task.name == "test_greets_by_name"
    solve(RECIPE)
    assert practice.hint(RECIPE) is None


@with_solutions
def test_solution(workbook: Path) -> None:
    text = catalog.solution(RECIPE).read_text(encoding="utf-8")
    with pytest.raises(practice.NotPassed):
        practice.solution(RECIPE)
    assert practice.solution(RECIPE, anyway=True) == text
    solve(RECIPE)
    assert practice.solution(RECIPE) == text
    shutil.rmtree(catalog.SOLUTIONS)
    for anyway in (False, True):
        with pytest.raises(practice.NoSolutions):
            practice.solution(RECIPE, anyway)


def test_reset_keeps_every_work(workbook: Path) -> None:
    exercise, starter = catalog.exercise(RECIPE), catalog.starter(RECIPE)
    assert practice.reset(RECIPE) is None
    exercise.unlink()
    assert practice.reset(RECIPE) is None
    works = [f"# work {n}\r\n".encode() for n in range(3)]
    copies = []
    for work in works:
        exercise.write_bytes(work)
        assert practice.begun(RECIPE)
        copies.append(practice.reset(RECIPE))
        assert exercise.read_bytes() == starter.read_bytes()
        assert not practice.begun(RECIPE)
    names = [f"exercise_before_reset_{n}.py" for n in (1, 2, 3)]
    assert copies == [exercise.with_name(name) for name in names]
    assert [exercise.with_name(name).read_bytes() for name in names] == works
    exercise.with_name(names[1]).unlink()
    exercise.write_bytes(b"# the next")
    assert practice.reset(RECIPE) == exercise.with_name(names[1])


def test_reset_keeps_the_learners_own_test(workbook: Path) -> None:
    file = catalog.catch(RECIPE)
    given = file.read_bytes()
    assert practice.reset_test(RECIPE) is None
    file.write_bytes(b"# a test of my own")
    copy = practice.reset_test(RECIPE)
    assert copy == file.with_name("exercise_before_reset_test_1.py")
    assert copy.read_bytes() == b"# a test of my own"
    assert file.read_bytes() == given


def test_two_at_a_time(workbook: Path) -> None:
    """Nothing of it minds being called by several threads."""
    for recipe in (RECIPE, OTHER):
        catalog.exercise(recipe).write_text(NO_APP, encoding="utf-8")
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(practice.progress) for _ in range(2)]
        one, other = (call.result() for call in calls)
    assert one == other
    assert [(each.done, each.begun) for each in one] == [(0, True), (0, True)]
    assert not practice.RUNNING
