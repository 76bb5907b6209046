"""What keeps the workbook whole: all parts there, tasks proved by wrong answers."""

import ast
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.exercises import judge
from recipes.workbench.servers.starting import JUDGING, warm
from recipes.workbench.tasks import tasks
from tests.helpers.answers import (
    RIGHT_ANSWERS,
    Edit,
    Wrong,
    clauses,
    code_of,
    edited,
    right_answers,
    suite_of,
    survivors,
    wrong_answers,
)
from tests.helpers.mutants import mutants, mutants_of, reason_for, surviving

RECIPES = catalog.recipes()


def missing(recipe: str) -> list[Path]:
    """The files that a recipe should have and has not."""
    names = ("README.md", "main.py", "client.py", "exercise.py")
    parts = [catalog.RECIPES / recipe / name for name in names]
    parts += [
        catalog.RECIPES / recipe / f"{name}.toml" for name in ("tasks", "console")
    ]
    parts += [catalog.starter(recipe), catalog.tests(recipe)]
    if catalog.SOLUTIONS.is_dir():
        parts += [catalog.solution(recipe), catalog.WRONG_ANSWERS / f"{recipe}.toml"]
    parts += [catalog.NOTEBOOKS / f"{recipe}.ipynb"]
    return [part for part in parts if not part.is_file()]


# Of a recipe that lacks a file only this is told, once.
WHOLE = [recipe for recipe in RECIPES if not missing(recipe)]
WRONG = [
    pytest.param(recipe, wrong, id=f"{recipe}-{wrong.name}")
    for recipe in WHOLE
    for wrong in wrong_answers(recipe)
]
RIGHT = [
    pytest.param(recipe, file, id=f"{recipe}-{file.stem}")
    for recipe in WHOLE
    for file in right_answers(recipe)
]
# Whose statement is written down clause by clause.
TAUGHT = [recipe for recipe in WHOLE if clauses(recipe)]
# Whose mutants are judged here, since they are few. `python -m tests.helpers.mutants`
# judges all, which takes many minutes.
SHORT = [recipe for recipe in TAUGHT if len(mutants_of(recipe)) <= 30]
# Tasks that take seconds are run with the wrong answers that fail them. That no other
# wrong answer fails them is seen with EVERY_TASK=1, once a week.
EVERY_TASK = bool(os.environ.get("EVERY_TASK"))
LONG_TASKS = {
    *("test_idle_client_is_closed", "test_stalled", "test_bytes"),
    *("test_the_token_expires", "test_next_stays_here"),
    *("test_a_killed_worker_is_forgotten", "test_clocks_may_differ"),
    *("test_redis_is_away_for_a_while", "test_redis_forgot_everything"),
    *("test_idle_at_once_and_busy_when_done", "test_sigterm"),
    *("test_everybody_is_told", "test_drain_is_answered_at_once"),
}
# A students' edition has none, and no wrong answers.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)


@pytest.fixture(scope="module")
def warm_pytest() -> Iterator[None]:
    """A judging takes a quarter of the time where pytest is forked, too."""
    with warm(JUDGING):
        yield


def failures(recipe: str, file: Path, but: Collection[str] = ()) -> dict[str, str]:
    """The tasks that an answer fails, with what is told of each.

    Those in `but` are not run.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / recipe).mkdir()
        shutil.copy(file, folder / recipe / "exercise.py")
        names = {task.name for task in tasks(recipe)} - set(but)
        suite = suite_of(recipe, names, folder) if but else None
        with judge.Judging(recipe, folder, suite=suite) as judging:
            verdicts = judging.verdicts()
    return {v.task.name: v.failure for v in verdicts if not v.passed}


def nothing_of(problems: Iterable[str]) -> None:
    """Fail with each problem in full, and without the code that found it."""
    __tracebackhide__ = True
    if told := "\n\n".join(problems):
        pytest.fail(told, pytrace=False)


def in_tests(recipe: str) -> str:
    """Where a recipe's wrong answers are, as a contributor writes it."""
    return f"tests/wrong_answers/{recipe}.toml"


def test_long_tasks_are_tasks() -> None:
    assert {task.name for recipe in WHOLE for task in tasks(recipe)} >= LONG_TASKS


# The two-way gate; that every solution passes is shown by the recipes' own suites.


gate = pytest.mark.usefixtures("warm_pytest")


@gate
@pytest.mark.slow
@pytest.mark.parametrize("recipe", WHOLE)
def test_starter_fails_every_task(recipe: str) -> None:
    failed = failures(recipe, catalog.starter(recipe))
    nothing_of(
        f"{task.name} passes on tests/starters/{recipe}/exercise.py: it asks nothing "
        "of a learner, or the starter has its answer."
        for task in tasks(recipe)
        if task.name not in failed
    )


@gate
@pytest.mark.slow
@with_solutions
@pytest.mark.parametrize(("recipe", "wrong"), WRONG)
def test_wrong_answer_fails_what_it_names(
    recipe: str, wrong: Wrong, tmp_path: Path
) -> None:
    answer = tmp_path / "exercise.py"
    misfits = []
    try:
        answer.write_text(code_of(recipe, wrong), encoding="utf-8")
    except ValueError as misfit:
        misfits.append(str(misfit))
    # Not in the `except`: pytest would tell it twice.
    nothing_of(misfits)
    passed_over = () if EVERY_TASK else LONG_TASKS - set(wrong.fails)
    nothing_of(misnamed(recipe, wrong, failures(recipe, answer, passed_over)))


def misnamed(recipe: str, wrong: Wrong, failed: dict[str, str]) -> Iterator[str]:
    """What a wrong answer says of its failures that is not so."""
    where = f"{in_tests(recipe)}, {wrong.name}"
    for name in wrong.fails:
        if name not in failed:
            yield (
                f"{where}: `fails` names {name}, which passes. Take it out, or make "
                "that test notice the mistake."
            )
    for name, failure in failed.items():
        if name not in wrong.fails:
            yield (
                f"{where}: it fails {name} too. Add that to `fails`, or make the test "
                f"ask for less. The failure:\n{failure}"
            )
        hint = failure.rpartition("\nHint: ")[2]
        if name in wrong.fails and wrong.told not in hint:
            yield (
                f"{where}: `told` is {wrong.told!r}, but the hint under {name} is\n"
                f"{hint!r}\nQuote that, or have a [[symptom]] in "
                f"recipes/{recipe}/tasks.toml say what helps. The failure:\n{failure}"
            )


@gate
@pytest.mark.slow
@with_solutions
@pytest.mark.parametrize(("recipe", "file"), RIGHT)
def test_right_answer_passes(recipe: str, file: Path) -> None:
    nothing_of(
        f"{file.relative_to(catalog.ROOT)} is a right answer and fails {name}. If the "
        f"task is new, this answer must do it as well:\n{failure}"
        for name, failure in failures(recipe, file).items()
    )


@with_solutions
@pytest.mark.parametrize("recipe", WHOLE)
def test_every_task_is_failed_by_a_wrong_answer(recipe: str) -> None:
    caught = {name for wrong in wrong_answers(recipe) for name in wrong.fails}
    names = {task.name for task in tasks(recipe)}
    nothing_of(
        [
            f"{in_tests(recipe)}: no wrong answer fails {name}. Add one."
            for name in sorted(names - caught)
        ]
        + [
            f"{in_tests(recipe)}: a `fails` names {name}, which is no [[task]] in "
            f"recipes/{recipe}/tasks.toml."
            for name in sorted(caught - names)
        ]
    )


@with_solutions
@pytest.mark.parametrize("recipe", TAUGHT)
def test_every_clause_is_broken_by_a_wrong_answer(recipe: str) -> None:
    """And its task notices; each task has a clause, or it demands too much."""
    fails = {wrong.name: wrong.fails for wrong in wrong_answers(recipe)}
    names = {task.name for task in tasks(recipe)}
    nothing_of(
        [
            f"{in_tests(recipe)}, clause {c.says!r}: no [[wrong]] is named {c.wrong} "
            f"and has {c.task} in its `fails`."
            for c in clauses(recipe)
            if c.task not in fails.get(c.wrong, [])
        ]
        + [
            f"{in_tests(recipe)}: no [[clause]] has the task {name}. Write down what "
            "the statement demands there, with a wrong answer that breaks it."
            for name in sorted(names - {c.task for c in clauses(recipe)})
        ]
        + [
            f"{in_tests(recipe)}, clause {c.says!r}: {c.task} is no [[task]] in "
            f"recipes/{recipe}/tasks.toml."
            for c in clauses(recipe)
            if c.task not in names
        ]
    )


@with_solutions
@pytest.mark.parametrize("recipe", TAUGHT)
def test_every_mistake_is_told(recipe: str) -> None:
    nothing_of(
        f"{in_tests(recipe)}, {wrong.name}: it has no `told`, words of the hint that a "
        "learner with this mistake gets."
        for wrong in wrong_answers(recipe)
        if not wrong.told
    )


@gate
@pytest.mark.slow
@with_solutions
@pytest.mark.parametrize("recipe", SHORT)
def test_mutants_are_caught_or_excused(recipe: str) -> None:
    nothing_of(
        f"{mutant.name}. Let a test notice it, or write the solution without it, or, "
        f"if no client can see it, add a [[survivor]] to {in_tests(recipe)}. "
        f"`python -m tests.helpers.mutants {recipe[:3]}` tries again."
        for mutant in surviving(recipe, mutants_of(recipe))
        if reason_for(recipe, mutant) is None
    )


@with_solutions
@pytest.mark.parametrize("recipe", TAUGHT)
def test_survivors_are_mutants(recipe: str) -> None:
    excused = {reason_for(recipe, mutant) for mutant in mutants_of(recipe)}
    nothing_of(
        f"{in_tests(recipe)}: no mutant's name starts with {survivor.mutant!r}. "
        "Take this [[survivor]] out."
        for survivor in survivors(recipe)
        if survivor.reason not in excused
    )


def test_mutants_of_a_handler() -> None:
    code = "async def f():\n    await g(1)\n    if x == 'y':\n        return\n"
    assert [mutant.name for mutant in mutants(code)] == [
        "f: `await g(1)` dropped",
        "f: `if x == 'y': …` dropped",
        "f: `await g(1)` became `g(1)`",
        "f: `await g(1)` became `await g(2)`",
        "f: `await g(1)` became `await g(0)`",
        "f: `return` became `pass`",
        "f: `if x == 'y':` became `if x != 'y':`",
        "f: `if x == 'y':` became `if x == 'y!':`",
    ]


# How wrong answers are made

APP = "accept()\nsend()\nsend()\nclose()\n"


def wrong_answer(*edits: tuple[str, str]) -> Wrong:
    made = [Edit(old=old, new=new) for old, new in edits]
    return Wrong(name="hasty", mistake="In haste.", fails=["test_x"], edit=made)


def test_edits_are_made_in_the_reference() -> None:
    """Not in what the other edits have made of it."""
    wrong = wrong_answer(("close()", "accept()"), ("accept()\n", ""))
    assert edited("r01_setup", wrong, APP) == "send()\nsend()\naccept()\n"


@pytest.mark.parametrize(
    ("old", "problem"),
    [
        ("wait()", "edit 2 fits nowhere in the reference"),
        ("send()", "edit 2 fits 2 times in the reference"),
        ("accept()\nsend()\ns", "edit 2 lies over another edit"),
    ],
)
def test_edit_that_does_not_fit(old: str, problem: str) -> None:
    wrong = wrong_answer(("accept()", "pass"), (old, ""))
    with pytest.raises(ValueError, match="r01_setup, wrong answer hasty: ") as caught:
        edited("r01_setup", wrong, APP)
    assert problem in str(caught.value)
    assert old in str(caught.value)


# The parts of a recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_part_is_missing(recipe: str) -> None:
    nothing_of(
        f"{part.relative_to(catalog.ROOT)} is missing." for part in missing(recipe)
    )


def test_no_part_is_left_over() -> None:
    homes = [catalog.SOLUTIONS, catalog.STARTERS, RIGHT_ANSWERS]
    found = {path.name for home in homes for path in home.glob("[!_]*")}
    found |= {path.stem for path in catalog.WRONG_ANSWERS.glob("*.toml")}
    found |= {path.stem for path in catalog.NOTEBOOKS.glob("*.ipynb")}
    found |= {path.stem[5:] for path in catalog.TESTS.glob("test_r[0-9]*.py")}
    nothing_of(
        f"{name} is in solutions/, tests/ or notebooks/, and no folder in recipes/."
        for name in sorted(found - set(RECIPES))
    )


@pytest.mark.parametrize("recipe", WHOLE)
def test_readme_has_its_parts(recipe: str) -> None:
    readme = (catalog.RECIPES / recipe / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)
    # Only the recipes that the chapter has too can differ from it.
    assert [h for h in headings if h != "Where the chapter differs"] == [
        "Getting ready",
        "How to do it",
        "How it works",
        "There's more",
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


@pytest.mark.parametrize("recipe", WHOLE)
def test_suite_never_imports_an_answer(recipe: str) -> None:
    text = catalog.tests(recipe).read_text(encoding="utf-8")
    assert not re.search(r"import.*(exercise|solutions)", text)


@pytest.mark.parametrize("recipe", WHOLE)
def test_suite_imports_no_recipe_before_its_tests_run(recipe: str) -> None:
    """A recipe that is broken fails what is tested of it, and no task beside."""
    suite = ast.parse(catalog.tests(recipe).read_text(encoding="utf-8"))
    imports = [n for n in suite.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert [
        i for i in map(ast.unparse, imports) if re.search(r" recipes\.r\d", i)
    ] == []


@pytest.mark.parametrize("recipe", WHOLE)
def test_tasks_are_in_the_order_of_their_tests(recipe: str) -> None:
    suite = ast.parse(catalog.tests(recipe).read_text(encoding="utf-8"))
    tests = [node.name for node in suite.body if isinstance(node, ast.FunctionDef)]
    named = [task.name for task in tasks(recipe)]
    nothing_of(
        f"recipes/{recipe}/tasks.toml names {name}, but tests/test_{recipe}.py has no "
        "such test."
        for name in named
        if name not in tests
    )
    ordered = [name for name in tests if name in named]
    if named != ordered:
        in_lines = "\n".join(ordered)
        pytest.fail(
            f"recipes/{recipe}/tasks.toml lists the tasks in another order than their "
            f"tests have, which is\n{in_lines}",
            pytrace=False,
        )


@pytest.mark.parametrize("recipe", WHOLE)
def test_tasks_have_several_hints(recipe: str) -> None:
    nothing_of(
        f"recipes/{recipe}/tasks.toml: {task.name} has one hint; give it two or more, "
        "from a nudge to nearly the answer."
        for task in tasks(recipe)
        if len(task.hints) < 2
    )


@with_solutions
@pytest.mark.parametrize("recipe", WHOLE)
def test_solution_says_why_it_is_done_so(recipe: str) -> None:
    text = catalog.solution(recipe).read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    starter = catalog.starter(recipe).read_text(encoding="utf-8")
    file = f"{recipe}/exercise.py"
    assert "nother way" in docstring, (
        f"solutions/{file}: no `Another way: …` at its top"
    )
    assert "TODO" not in text, f"solutions/{file}: a TODO is left"
    assert "TODO" in starter, f"tests/starters/{file}: no TODO says what to do"


def test_root_readme_lists_every_recipe() -> None:
    readme = (catalog.ROOT / "README.md").read_text(encoding="utf-8")
    row = r"^\| \[([^]]+)\]\(recipes/(r\d\d_\w+)/README\.md\)"
    rows = re.findall(row, readme, re.MULTILINE)
    listed = [recipe for _, recipe in rows]
    nothing_of(f"README.md: no row for {r}." for r in RECIPES if r not in listed)
    nothing_of(
        f"README.md: a row for {r}, no recipe." for r in listed if r not in RECIPES
    )
    assert listed == RECIPES, "README.md: the rows are in another order"
    nothing_of(
        f"README.md: the row of {recipe} is called {name!r}; its own README is "
        f"{catalog.title(recipe)!r}."
        for name, recipe in rows
        if recipe in WHOLE and name != catalog.title(recipe)
    )


def test_logger_warn_is_not_used() -> None:
    files = [*catalog.RECIPES.rglob("*.py"), *catalog.SOLUTIONS.rglob("*.py")]
    assert [str(f) for f in files if ".warn(" in f.read_text(encoding="utf-8")] == []


def test_every_requirement_is_pinned() -> None:
    for folder in ("", "tests", "notebooks"):
        file = catalog.ROOT / folder / "requirements.txt"
        for line in file.read_text(encoding="utf-8").splitlines():
            assert re.match(r"#|-r |[\w\[\]-]+==[\w.]+$|$", line), line
