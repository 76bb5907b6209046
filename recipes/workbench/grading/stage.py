"""The stage of a judging: a fresh copy of the recipes, with one answer in its place.

That is all of the workbook that the answer's server sees: no solutions, no tests, no
hints, and of the workbench only what serves.
"""

import compileall
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Self

from recipes.workbench import catalog

# What a server runs, beside the recipes.
SERVING = [
    *("__init__.py", "catalog.py", "servers/__init__.py"),
    *(
        "servers/child.py",
        "servers/limits.py",
        "servers/looking.py",
        "servers/relay.py",
    ),
]
# Texts, images, hints, and what a learner has kept.
LEFT_OUT = ["workbench", "*.md", "*.png", "*.toml", ".*", "__pycache__", "exercise*.py"]


class Stages:
    """The stages of a run, each for one judging; to be used with `with`.

    Attributes:
        folder: where they are; others may pass through it, and not look around.
    """

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="grading")).resolve()
        self.folder.chmod(0o711)
        self._model = self.folder / secrets.token_hex(8)
        recipes = self._model / "recipes"
        shutil.copytree(
            catalog.RECIPES, recipes, ignore=shutil.ignore_patterns(*LEFT_OUT)
        )
        for name in SERVING:
            target = recipes / "workbench" / name
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(catalog.RECIPES / "workbench" / name, target)
        for recipe in catalog.recipes():
            shutil.copy2(catalog.starter(recipe), recipes / recipe / "exercise.py")
        # Or each server would compile it all, and have nowhere to keep it.
        compileall.compile_dir(self._model, quiet=2)
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def stage(self, recipe: str, data: bytes, user: int | None) -> Path:
        """A stage with the answer `data`, which only we and the `user` can enter."""
        stage = self.folder / secrets.token_hex(8)
        shutil.copytree(self._model, stage)
        place = stage / "recipes" / recipe
        (place / "exercise.py").write_bytes(data)
        for compiled in (place / "__pycache__").glob("exercise.*"):
            compiled.unlink()
        if user is not None:
            os.chown(stage, 0, user)
        stage.chmod(0o700 if user is None else 0o750)
        return stage
