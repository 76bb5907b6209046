"""What keeps the workbook whole: all parts there, tasks proved by wrong answers."""

import ast
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises import judge
from recipes.workbench.exercises.judge import Verdict
from recipes.workbench.tasks import tasks

RECIPES = catalog.recipes()
MUTANTS = [
    pytest.param(recipe, file, id=f"{recipe}-{file.stem}")
    for recipe in RECIPES
    for file in sorted((catalog.MUTANTS / recipe).glob("*.py"))
]
# Judging an answer is mostly waiting, for a server or for what does not come.
SIDE_BY_SIDE = 4
# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)

Judged = dict[Path, Future[list[Verdict]]]


@pytest.fixture(scope="module")
def judged() -> Iterator[Judged]:
    """The verdicts of every mutant, to come."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {
            param.values[1]: pool.submit(judge.judge_file, *param.values)  # type: ignore[arg-type, misc]
            for param in MUTANTS
        }


def named(file: Path) -> set[str]:
    """The tasks that a mutant's first line says it fails."""
    with file.open(encoding="utf-8") as lines:
        first = next(lines)
    match = re.fullmatch(r"# fails: (.+)\n", first)
    assert match, f"{file} must begin with a line `# fails: task_a, task_b`"
    return set(match[1].split(", "))


def failed(verdicts: list[Verdict]) -> set[str]:
    return {verdict.task.name for verdict in verdicts if not verdict.passed}


# The two-way gate; that every solution passes is shown by the recipes' own suites.


@pytest.mark.parametrize(("recipe", "file"), MUTANTS)
def test_mutant_fails_what_it_names(recipe: str, file: Path, judged: Judged) -> None:
    verdicts = judged[file].result()
    every = {task.name for task in tasks(recipe)}
    assert failed(verdicts) == (every if file.stem == "starter" else named(file))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_task_is_failed_by_a_mutant(recipe: str) -> None:
    files = (catalog.MUTANTS / recipe).glob("*.py")
    caught = {name for f in files if f.stem != "starter" for name in named(f)}
    assert caught == {task.name for task in tasks(recipe)}


# The parts of a recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_part_is_missing(recipe: str) -> None:
    parts = [catalog.RECIPES / recipe / name for name in ("README.md", "main.py")]
    parts += [catalog.RECIPES / recipe / name for name in ("client.py", "exercise.py")]
    parts += [catalog.RECIPES / recipe / "tasks.toml"]
    parts += [catalog.starter(recipe), catalog.tests(recipe)]
    if catalog.SOLUTIONS.is_dir():
        parts += [catalog.solution(recipe)]
    parts += [catalog.NOTEBOOKS / f"{recipe}.ipynb"]
    assert [str(part) for part in parts if not part.is_file()] == []


def test_no_part_is_left_over() -> None:
    homes = [catalog.SOLUTIONS, catalog.MUTANTS]
    found = {path.name for home in homes for path in home.glob("[!_]*")}
    found |= {path.stem for path in catalog.NOTEBOOKS.glob("*.ipynb")}
    found |= {path.stem[5:] for path in catalog.TESTS.glob("test_r[0-9]*.py")}
    assert found == set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_readme_has_its_parts(recipe: str) -> None:
    readme = (catalog.RECIPES / recipe / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", readme, re.MULTILINE) == [
        "Getting ready",
        "How to do it",
        "How it works",
        "There's more",
        "Where the chapter differs",
        "Exercise",
        "See also",
    ]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_imports_no_other_part_of_the_workbook(recipe: str) -> None:
    for file in (catalog.RECIPES / recipe).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Import():
                    names = [alias.name for alias in node.names]
                case ast.ImportFrom(module=str(module), level=0):
                    names = [module]
                case ast.ImportFrom(level=level):
                    names = ["." * level]
                case _:
                    continue
            for name in names:
                assert not name.startswith(".."), file
                assert not name.startswith(("tests", "solutions")), file
                assert not re.match(rf"recipes(?!\.{recipe}\b)", name), file


@pytest.mark.parametrize("recipe", RECIPES)
def test_suite_never_imports_an_answer(recipe: str) -> None:
    text = catalog.tests(recipe).read_text(encoding="utf-8")
    assert not re.search(r"import.*(exercise|solutions)", text)


@pytest.mark.parametrize("recipe", RECIPES)
def test_suite_imports_no_recipe_before_its_tests_run(recipe: str) -> None:
    """A recipe that is broken fails what is tested of it, and no task beside."""
    text = catalog.tests(recipe).read_text(encoding="utf-8")
    assert not re.search(r"^(from|import) recipes\.r\d", text, re.MULTILINE)


@pytest.mark.parametrize("recipe", RECIPES)
def test_tasks_are_in_the_order_of_their_tests(recipe: str) -> None:
    suite = ast.parse(catalog.tests(recipe).read_text(encoding="utf-8"))
    tests = [node.name for node in suite.body if isinstance(node, ast.FunctionDef)]
    named = {task.name for task in tasks(recipe)}
    assert [task.name for task in tasks(recipe)] == [t for t in tests if t in named]


@pytest.mark.parametrize("recipe", RECIPES)
def test_tasks_have_several_hints(recipe: str) -> None:
    assert [task.name for task in tasks(recipe) if len(task.hints) < 2] == []


@with_solutions
@pytest.mark.parametrize("recipe", RECIPES)
def test_solution_says_why_it_is_done_so(recipe: str) -> None:
    text = catalog.solution(recipe).read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert "nother way" in docstring
    assert "TODO" not in text
    assert "TODO" in catalog.starter(recipe).read_text(encoding="utf-8")


def test_root_readme_lists_every_recipe() -> None:
    readme = (catalog.ROOT / "README.md").read_text(encoding="utf-8")
    row = r"^\| \[([^]]+)\]\(recipes/(r\d\d_\w+)/README\.md\)"
    rows = re.findall(row, readme, re.MULTILINE)
    assert [recipe for _, recipe in rows] == RECIPES
    assert [name for name, _ in rows] == [catalog.title(recipe) for recipe in RECIPES]


def test_logger_warn_is_not_used() -> None:
    files = [*catalog.RECIPES.rglob("*.py"), *catalog.SOLUTIONS.rglob("*.py")]
    assert [str(f) for f in files if ".warn(" in f.read_text(encoding="utf-8")] == []


def test_every_requirement_is_pinned() -> None:
    for folder in ("", "tests", "notebooks"):
        file = catalog.ROOT / folder / "requirements.txt"
        for line in file.read_text(encoding="utf-8").splitlines():
            assert re.match(r"#|-r |[\w\[\]-]+==[\w.]+$|$", line), line
