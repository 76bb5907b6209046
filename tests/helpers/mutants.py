"""Mutants of a reference: does the suite notice each small change?

    python -m tests.helpers.mutants r03

(several recipes, or without any all of them) makes one small change at a time in
solutions/<recipe>/exercise.py (a statement dropped, a condition negated, a number ±1,
another text, an `await` dropped, an `except` wider or narrower), judges each, and lists
those that pass every task. Such a survivor shows a hole in the suite, and the exit
status is 1; or it is listed with the reason why no client can see it, in
tests/wrong_answers/<recipe>.toml:

    [[survivor]]
    mutant = "converse: `logger."   # how its name begins
    reason = "One sentence that says it."
"""

import argparse
import ast
import difflib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Judging
from recipes.workbench.servers.starting import APPS, JUDGING, warm
from tests.helpers.answers import survivors

# Judging an answer is mostly waiting.
SIDE_BY_SIDE = 4

T = TypeVar("T")
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


class Mutant(NamedTuple):
    """A change of a reference; `name` tells where and what."""

    name: str
    code: str


def mutants(code: str) -> list[Mutant]:
    """All mutants of a module. Names are single: the second of two ends with `(2)`."""
    tree = ast.parse(code)
    original = ast.unparse(tree)
    made: dict[str, str] = {}
    for name, mutated in changes(tree):
        if mutated != original and is_python(mutated):
            made.setdefault(mutated, f"{name}: {difference(original, mutated)}")
    seen: Counter[str] = Counter()
    found = []
    for mutated, name in made.items():
        seen[name] += 1
        again = f" ({seen[name]})" if seen[name] > 1 else ""
        found.append(Mutant(name + again, mutated))
    return found


def mutants_of(recipe: str) -> list[Mutant]:
    """All mutants of a recipe's reference."""
    return mutants(catalog.solution(recipe).read_text(encoding="utf-8"))


def changes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The name of the function that is changed, and the module's code with that."""
    for owner, node in nodes(tree, "module"):
        for field, value in ast.iter_fields(node):
            for other in others(node, field, value):
                setattr(node, field, other)
                yield owner, ast.unparse(tree)
                setattr(node, field, value)


def nodes(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.AST]]:
    """A node and all below it, each with the name of its function or class."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        owner = node.name
    yield owner, node
    for child in ast.iter_child_nodes(node):
        yield from nodes(child, owner)


def others(node: ast.AST, field: str, value: object) -> Iterator[object]:
    """What a field of a node may be instead."""
    match value:
        case [ast.stmt(), *_]:
            yield from fewer_statements(value)
        case [ast.ExceptHandler(), *_]:
            yield from without_one(value)
        case [ast.keyword(arg=name), *_] if name != "title":
            yield from without_one(value)
        case [ast.expr(), *_]:
            if is_suppress(node):
                yield from without_one(value)
            for at, expression in enumerate(value):
                for new in other_expressions(expression):
                    yield [*value[:at], new, *value[at + 1 :]]
        case [ast.cmpop() as operator, *rest]:
            yield [SWAPPED[type(operator)](), *rest]
        case ast.boolop() | ast.operator() if type(value) in SWAPPED:
            yield SWAPPED[type(value)]()
        case ast.expr() if field not in {"annotation", "returns"}:
            if field == "test" and not isinstance(value, ast.Compare):
                yield ast.UnaryOp(ast.Not(), value)
            if isinstance(node, ast.ExceptHandler):
                yield ast.Name("Exception")
            if not is_docstring(node) and not is_title(node):
                yield from other_expressions(value)


def fewer_statements(body: Sequence[object]) -> Iterator[list[object]]:
    """The body without one of its statements, or with what stands in one instead."""
    kept = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef
    for at, statement in enumerate(body):
        if isinstance(statement, kept) or is_docstring(statement):
            continue
        before, after = body[:at], body[at + 1 :]
        yield [*before, *after] or [ast.Pass()]
        if isinstance(statement, ast.With | ast.AsyncWith):
            yield [*before, *statement.body, *after]


def other_expressions(expression: object) -> Iterator[ast.expr]:
    """What may stand in the place of an expression."""
    match expression:
        case ast.Await():
            yield expression.value
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(number) | float(number)):
            yield ast.Constant(number + 1)
            yield ast.Constant(number - 1)
        case ast.Constant(value=str(text)):
            yield ast.Constant(text + "!" if text else "other")


def without_one(values: Sequence[T]) -> Iterator[list[T]]:
    """The list without one of its values, for each."""
    for at in range(len(values)):
        yield [*values[:at], *values[at + 1 :]]


def is_suppress(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "suppress"


def is_title(node: ast.AST) -> bool:
    """A title is seen in the documentation only."""
    return isinstance(node, ast.keyword) and node.arg == "title"


def is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_python(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def difference(original: str, mutated: str) -> str:
    """The lines that differ: `these` became `those`, or `these` dropped."""
    before, after = original.splitlines(), mutated.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    gone: list[str] = []
    come: list[str] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            gone += [line.strip() for line in before[i:j]]
            come += [line.strip() for line in after[k:m]]
    # A block that lost its `with` differs by its indentation only.
    for line in [line for line in gone if line in come]:
        gone.remove(line)
        come.remove(line)
    old, new = in_short(gone), in_short(come)
    return f"`{old}` became `{new}`" if new else f"`{old}` dropped"


def in_short(lines: list[str]) -> str:
    return lines[0] + (" …" if lines[1:] else "") if lines else ""


def survives(recipe: str, mutant: Mutant) -> bool:
    """Whether it passes every task. Its judging ends with the first that it fails."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / recipe / "exercise.py"
        answer.parent.mkdir()
        answer.write_text(mutant.code, encoding="utf-8")
        with Judging(recipe, Path(folder)) as judging:
            if not all(verdict.passed for verdict in judging):
                return False
            return all(verdict.passed for verdict in judging.verdicts())


def surviving(recipe: str, made: list[Mutant]) -> list[Mutant]:
    """Those that pass every task."""
    with warm(APPS), warm(JUDGING), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        lived = list(pool.map(lambda mutant: survives(recipe, mutant), made))
    return [mutant for mutant, alive in zip(made, lived, strict=True) if alive]


def reason_for(recipe: str, mutant: Mutant) -> str | None:
    """Why no client can see it; None if it should be caught."""
    for survivor in survivors(recipe):
        if mutant.name.startswith(survivor.mutant):
            return survivor.reason
    return None


def tell(recipe: str, only: str) -> bool:
    """Judge a recipe's mutants and print what lived; whether that is as listed."""
    made = [mutant for mutant in mutants_of(recipe) if only in mutant.name]
    began = time.monotonic()
    lived = surviving(recipe, made)
    seconds = time.monotonic() - began
    print(
        f"{recipe}: {len(made) - len(lived)} of {len(made)} caught in {seconds:.0f} s"
    )
    reasons = [reason_for(recipe, mutant) for mutant in lived]
    for mutant, reason in zip(lived, reasons, strict=True):
        print(f"{mutant.name}\n    {reason or 'NO REASON'}")
    stale = [
        survivor.mutant
        for survivor in survivors(recipe)
        if not only
        and not any(mutant.name.startswith(survivor.mutant) for mutant in lived)
    ]
    for name in stale:
        print(f"{name}\n    IS CAUGHT: take this [[survivor]] out")
    return not stale and None not in reasons


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge the mutants of a reference.")
    parser.add_argument(
        "recipes", nargs="*", default=[""], help="its folder's name, or how it begins"
    )
    parser.add_argument("--only", default="", help="mutants with this in their name")
    arguments = parser.parse_args()
    wanted = tuple(arguments.recipes)
    told = [
        tell(recipe, arguments.only)
        for recipe in catalog.recipes()
        if recipe.startswith(wanted)
    ]
    sys.exit(not (told and all(told)))


if __name__ == "__main__":
    main()
