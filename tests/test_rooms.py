"""The rooms of the workbench import each other as its docstring says, and no circle."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import recipes.workbench
from recipes.workbench import catalog

WORKBENCH = "recipes.workbench"
# What lies beside the rooms, and whoever runs a room as a program.
BESIDE, COMMANDS = "beside the rooms", "cli"
ARROW = re.compile(r"^    (\w+) +-> (.+?)  .+$", re.MULTILINE)


def picture() -> dict[str, set[str]]:
    """Which rooms a room may import, as the docstring draws it."""
    drawn = ARROW.findall(recipes.workbench.__doc__ or "")
    return {room: set(others.split(", ")) - {"nothing"} for room, others in drawn}


def name_of(file: Path) -> str:
    parts = file.relative_to(catalog.ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(f): f for f in (catalog.RECIPES / "workbench").rglob("*.py")}


def imported(code: str, every: set[str]) -> Iterator[str]:
    """Those of `every` module that some code imports: also in functions, or for types.

    A package that is imported for a module in it counts as that module alone.
    """
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in every)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "modules of the workbench are imported by whole name"
            for each in node.names:
                module = f"{node.module}.{each.name}"
                found = module if module in every else node.module
                if found in every:
                    yield str(found)


IMPORTS = {
    name: set(imported(file.read_text(encoding="utf-8"), set(MODULES)))
    for name, file in MODULES.items()
}


def room_of(module: str) -> str:
    """The folder below the workbench, or `cli`; what lies there beside them is one."""
    name = module.removeprefix(f"{WORKBENCH}.").partition(".")[0]
    folder = catalog.RECIPES / "workbench" / name
    return name if folder.is_dir() or name == COMMANDS else BESIDE


def test_rooms_import_each_other_as_drawn() -> None:
    """No arrow too few, and none too many."""
    found: dict[str, set[str]] = {room_of(module): set() for module in MODULES}
    for module, others in IMPORTS.items():
        found[room_of(module)] |= {room_of(other) for other in others}
    assert found.pop(BESIDE) <= {BESIDE}
    assert {room: found[room] - {room, BESIDE} for room in found} == picture()


def test_contributing_shows_the_same_picture() -> None:
    lines = (recipes.workbench.__doc__ or "").splitlines()
    drawn = "\n".join(line[4:] for line in lines if ARROW.fullmatch(line))
    text = (catalog.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"```text\n{drawn}\n```" in text


def test_no_modules_import_each_other() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_scripts_of_the_page_are_short() -> None:
    for file in (catalog.RECIPES / "workbench" / "page" / "static").rglob("*.js"):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 200, file


def test_recipes_do_not_know_the_workbench() -> None:
    for recipe in catalog.recipes():
        for file in (catalog.RECIPES / recipe).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert file.name.startswith("exercise") or WORKBENCH not in text, file


@pytest.mark.parametrize(
    "code",
    [
        "import recipes.workbench.tail",
        "from recipes.workbench import tail as t",
        "from recipes.workbench.tail import Tail",
        "def late():\n    from recipes.workbench.tail import Tail",
        "if TYPE_CHECKING:\n    from recipes.workbench.tail import Tail",
    ],
)
def test_every_kind_of_import_is_seen(code: str) -> None:
    assert set(imported(code, set(MODULES))) == {"recipes.workbench.tail"}
