"""Where things are: the recipes in their order, and the files that belong to one."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "recipes"
SOLUTIONS = ROOT / "solutions"
TESTS = ROOT / "tests"
NOTEBOOKS = ROOT / "notebooks"
STARTERS = TESTS / "starters"
WRONG_ANSWERS = TESTS / "wrong_answers"


def recipes() -> list[str]:
    """The recipes' folder names, in the order of the workbook."""
    return sorted(path.name for path in RECIPES.glob("r[0-9][0-9]_*") if path.is_dir())


def find(name: str) -> str:
    """The recipe that a person means by `r03`, `3`, `disconnects` or the whole name.

    Raises LookupError, with the names to choose from, if that is none or several.
    """
    wanted = name.strip().strip("/\\").lower()
    number = f"r{int(wanted):02}" if wanted.isdecimal() and wanted.isascii() else wanted
    every = recipes()
    found = [r for r in every if r == wanted] or [
        r for r in every if r.split("_")[0] == number or r[4:] == wanted
    ]
    if len(found) != 1:
        raise LookupError(f"No recipe {name!r}. There are: {', '.join(every)}.")
    return found[0]


def title(recipe: str) -> str:
    """The recipe's title: the first heading of its README."""
    readme = RECIPES / recipe / "README.md"
    with readme.open(encoding="utf-8") as lines:
        return next(line[2:].strip() for line in lines if line.startswith("# "))


def blurb(recipe: str) -> str:
    """What the recipe is about: the paragraph below the title of its README."""
    readme = (RECIPES / recipe / "README.md").read_text(encoding="utf-8")
    paragraph = readme.split("\n\n")[1]
    return " ".join(re.sub(r"[*`]", "", paragraph).split())


def exercise(recipe: str) -> Path:
    """The file that a learner works in."""
    return RECIPES / recipe / "exercise.py"


def solution(recipe: str) -> Path:
    """The reference answer."""
    return SOLUTIONS / recipe / "exercise.py"


def starter(recipe: str) -> Path:
    """The exercise as it was given."""
    return STARTERS / recipe / "exercise.py"


def catch(recipe: str) -> Path:
    """The test that a learner writes, for a recipe that has such an exercise."""
    return RECIPES / recipe / "test_exercise.py"


def tests(recipe: str) -> Path:
    """The recipe's test suite."""
    return TESTS / f"test_{recipe}.py"


def load(name: str, file: Path | None = None) -> ModuleType:
    """Import the module `name`; with `file`, from that file and under that name.

    So an answer that lies anywhere is still `recipes.r03_disconnects.exercise`, and
    `from .main import ...` in it finds the recipe.
    """
    if file is None:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
