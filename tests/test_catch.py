"""Tests that learners write: whether they catch the bug, and what is told if not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises import catch as catch_module
from recipes.workbench.exercises.catch import judge_catch
from recipes.workbench.servers.starting import JUDGING, warm
from recipes.workbench.tasks import read
from tests.helpers.answers import WrongTest, edited, wrong_tests

RECIPES = [recipe for recipe in catalog.recipes() if read(recipe).catch]
WRONG = [
    pytest.param(recipe, wrong, id=f"{recipe}-{wrong.name}")
    for recipe in RECIPES
    for wrong in wrong_tests(recipe)
]
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)


@pytest.fixture(scope="module", autouse=True)
def warm_pytest() -> Iterator[None]:
    with warm(JUDGING):
        yield


def told(recipe: str, file: Path) -> str:
    caught = judge_catch(recipe, file)
    assert caught is not None
    return caught.failure


def reference(recipe: str) -> Path:
    return catalog.solution(recipe).with_name("test_exercise.py")


@with_solutions
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_reference_catches_the_bug(recipe: str) -> None:
    assert told(recipe, reference(recipe)) == ""


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_starter_does_not(recipe: str) -> None:
    starter = catalog.STARTERS / recipe / "test_exercise.py"
    assert "No test sees the bug" in told(recipe, starter)


@with_solutions
@pytest.mark.parametrize(("recipe", "wrong"), WRONG)
def test_wrong_test_is_told(
    recipe: str, wrong: WrongTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrong.name.startswith("waits"):
        monkeypatch.setattr(catch_module, "CATCH_TIMEOUT", 5.0)
    file = tmp_path / "test_exercise.py"
    text = reference(recipe).read_text(encoding="utf-8")
    file.write_text(edited(recipe, wrong, text), encoding="utf-8")
    assert wrong.told in told(recipe, file)


BROKEN = {
    "": "no test that passes on main",
    "def": "cannot run: SyntaxError",
    "import os; os._exit(0)": "ended the program",
    "import pytest\ndef test_x(): pytest.skip('so')": "no test that passes on main",
}


@pytest.mark.parametrize("source", BROKEN, ids=lambda text: text[:12] or "empty")
def test_a_file_that_is_no_test(source: str, tmp_path: Path) -> None:
    file = tmp_path / "test_exercise.py"
    file.write_text(source, encoding="utf-8")
    assert BROKEN[source] in told(RECIPES[0], file)


def test_no_file(tmp_path: Path) -> None:
    assert "There is no " in told(RECIPES[0], tmp_path / "test_exercise.py")


def test_a_recipe_without_a_bug() -> None:
    without = next(r for r in catalog.recipes() if r not in RECIPES)
    assert judge_catch(without, Path("nowhere")) is None
