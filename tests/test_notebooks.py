"""Notebooks run from top to bottom, and what they show is what they give."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from recipes.workbench import catalog
from recipes.workbench.judging.redis_server import NAMES, Missing

pytestmark = pytest.mark.slow

nbformat = pytest.importorskip(
    "nbformat", reason="notebooks are run with tests/requirements.txt installed"
)
nbclient = pytest.importorskip(
    "nbclient", reason="notebooks are run with tests/requirements.txt installed"
)

NOTEBOOKS = sorted(catalog.NOTEBOOKS.glob("r*.ipynb"))
# Seconds for one cell.
BOUND = 30

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)


def shown(book: Any) -> list[list[str]]:
    """The text that each code cell shows; pictures count as present."""
    return [
        # Printed lines come in as many pieces as the timing makes of them.
        ["".join(text_of(output) for output in cell.outputs)]
        for cell in book.cells
        if cell.cell_type == "code"
    ]


def text_of(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    if "image/png" in output.data:
        return "a picture"
    return str(output.data["text/plain"])


@each_notebook
def test_shows_what_it_gives(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    if "redis-server" in str(book.cells) and not any(map(shutil.which, NAMES)):
        pytest.skip(str(Missing()))
    kept = shown(book)
    client = nbclient.NotebookClient(
        book, timeout=BOUND, resources={"metadata": {"path": str(catalog.NOTEBOOKS)}}
    )
    client.execute()
    assert shown(book) == kept


@each_notebook
def test_is_the_same_everywhere(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    text = "\n".join(part for cell in shown(book) for part in cell)
    assert not re.search(r"127\.0\.0\.1:\d|0x[0-9a-f]{6,}|/home/|/work/|/tmp/", text)
    for cell in book.cells:
        assert "%cd" not in cell.source
        if cell.cell_type == "code":
            assert cell.outputs == [] or cell.execution_count is not None
            assert "proxy=None" in cell.source or "connect(" not in cell.source
