"""The answers that prove the tasks: wrong ones, as edits to the reference.

A file of `tests/wrong_answers/` holds those of a recipe:

    [[wrong]]
    name = "no_reason"
    mistake = "One sentence that says it."
    fails = ["test_says_bye"]  # these tasks and no others
    told = "…"                 # words of the hint under each of these failures
    [[wrong.edit]]             # one or more
    old = 'close(code=1000, reason="Bye!")'
    new = 'close()'

Before them stand the clauses of the exercise's statement, one by one, each with its
task and a wrong answer that breaks this clause and no other:

    [[clause]]
    says = "The close has the reason `Bye!`."
    task = "test_says_bye"
    wrong = "no_reason"

And after them the mutants of the reference that pass every task (`mutants.py`), each
with the reason why no client can see it:

    [[survivor]]
    mutant = "converse: `logger."  # how its name begins
    reason = "A log line: no client sees it."

Where learners write a test, too, tests that do not catch the bug, as edits to the
reference's `test_exercise.py`:

    [[wrong_test]]
    name = "a_value_that_works"
    mistake = "A number that is not zero comes back from the broken app as well."
    told = "Passed on demo_lost_zero, too"
    [[wrong_test.edit]]
    old = "…"
    new = "…"
"""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Suite

RIGHT_ANSWERS = catalog.TESTS / "right_answers"


class Edit(BaseModel):
    """A change of the reference: `old` stands there exactly once."""

    model_config = ConfigDict(extra="forbid")

    old: str = Field(min_length=1)
    new: str


class Wrong(BaseModel):
    """An answer with one mistake, and what must become of it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^\w+$")
    mistake: str = Field(min_length=1)
    fails: list[str] = Field(min_length=1)
    told: str = ""
    edit: list[Edit] = Field(min_length=1)


class Clause(BaseModel):
    """One thing that a statement demands, and who breaks it."""

    model_config = ConfigDict(extra="forbid")

    says: str = Field(min_length=1)
    task: str = Field(pattern=r"^test_\w+$")
    wrong: str


class Survivor(BaseModel):
    """Mutants, by how their names begin, that no client tells from the reference."""

    model_config = ConfigDict(extra="forbid")

    mutant: str = Field(min_length=1)
    reason: str = Field(min_length=1)


class WrongTest(BaseModel):
    """A test that does not catch the bug, as edits to the reference's."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^\w+$")
    mistake: str = Field(min_length=1)
    told: str = Field(min_length=1)
    edit: list[Edit] = Field(min_length=1)


class WrongAnswers(BaseModel):
    """The file of a recipe."""

    model_config = ConfigDict(extra="forbid")

    clause: list[Clause] = []
    wrong_test: list[WrongTest] = []
    wrong: list[Wrong] = []
    survivor: list[Survivor] = []


def read(recipe: str) -> WrongAnswers:
    """The recipe's file; an empty one in a students' edition.

    Raises:
        ValueError: the file is no TOML or not of this form.
    """
    file = catalog.WRONG_ANSWERS / f"{recipe}.toml"
    if not file.is_file():
        return WrongAnswers()
    return WrongAnswers(**tomllib.loads(file.read_text(encoding="utf-8")))


def wrong_answers(recipe: str) -> list[Wrong]:
    """The recipe's wrong answers. Raises what `read` does."""
    return read(recipe).wrong


def clauses(recipe: str) -> list[Clause]:
    """The clauses of the exercise's statement. Raises what `read` does."""
    return read(recipe).clause


def survivors(recipe: str) -> list[Survivor]:
    """The mutants that may pass. Raises what `read` does."""
    return read(recipe).survivor


def code_of(recipe: str, wrong: Wrong) -> str:
    """The Python code of a wrong answer. Raises what `edited` does."""
    reference = catalog.solution(recipe).read_text(encoding="utf-8")
    return edited(recipe, wrong, reference)


def wrong_tests(recipe: str) -> list[WrongTest]:
    """The recipe's tests that do not catch its bug. Raises what `read` does."""
    return read(recipe).wrong_test


def edited(recipe: str, wrong: Wrong | WrongTest, reference: str) -> str:
    """The reference with the edits of a wrong answer made.

    Each edit is looked for in the reference itself, not in what the others made of it.

    Raises:
        ValueError: an edit fits nowhere, or in more than one place, or lies over
            another one. It names recipe, answer and edit.
    """
    spans: list[tuple[int, int, str]] = []
    for number, edit in enumerate(wrong.edit, start=1):
        found = reference.count(edit.old)
        start = reference.find(edit.old)
        end = start + len(edit.old)
        if found == 0:
            problem = "fits nowhere in the reference"
        elif found > 1:
            problem = f"fits {found} times in the reference"
        elif any(start < other_end and other < end for other, other_end, _ in spans):
            problem = "lies over another edit"
        else:
            spans.append((start, end, edit.new))
            continue
        raise ValueError(
            f"{recipe}, wrong answer {wrong.name}: edit {number} {problem} "
            f"(solutions/{recipe}/). Write its `old` anew:\n{edit.old}"
        )
    code = reference
    for start, end, new in sorted(spans, reverse=True):
        code = code[:start] + new + code[end:]
    return code


def right_answers(recipe: str) -> list[Path]:
    """The recipe's right answers of other styles than the reference."""
    return sorted((RIGHT_ANSWERS / recipe).glob("*.py"))


def suite_of(recipe: str, names: Collection[str], folder: Path) -> Suite:
    """A recipe's suite with these tasks alone, listed in a file in the folder."""
    text = (catalog.RECIPES / recipe / "tasks.toml").read_text(encoding="utf-8")
    tables = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    named = re.compile(r'^(?:test|task) = "(\w+)"', re.MULTILINE)
    kept = [t for t in tables if not (m := named.search(t)) or m[1] in names]
    suite = Suite(catalog.tests(recipe), folder / "tasks.toml")
    suite.tasks.write_text("".join(kept), encoding="utf-8")
    return suite
