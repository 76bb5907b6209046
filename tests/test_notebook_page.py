"""A notebook on the page: its cells, what they gave, and its pictures."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from recipes.workbench import catalog
from recipes.workbench.page import notebook, render
from recipes.workbench.page.app import create_app

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("recipe", catalog.recipes())
def test_all_that_it_holds_is_shown(recipe: str) -> None:
    html = notebook.html(recipe)
    cells = notebook.cells(recipe)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    plots = len(notebook.pictures(recipe))
    assert code
    assert html.count("<img ") == plots
    printed = sum(len(notebook.outputs(cell)) for cell in code) - plots
    assert html.count('<pre class="code output"') == printed
    assert html.count('<pre class="code" ') == len(code)
    assert "<script" not in html
    assert "style=" not in html
    assert render.place("", f"notebooks/{recipe}.ipynb") == f"/{recipe}/notebook"


def test_outputs_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program printed is no HTML, whatever it looks like; colours go."""
    outputs = [
        {"output_type": "stream", "text": ["<b>\n", "\x1b[31mred\x1b[0m"]},
        {"output_type": "display_data", "data": {"text/html": "<script>1</script>"}},
        {"output_type": "error", "traceback": ["\x1b[0;31mValueError\x1b[0m: no"]},
    ]
    cell = {"cell_type": "code", "source": "f()", "outputs": outputs}
    (tmp_path / "r01_x.ipynb").write_text(json.dumps({"cells": [cell]}))
    monkeypatch.setattr(catalog, "NOTEBOOKS", tmp_path)
    html = notebook.html("r01_x")
    assert "&lt;b&gt;\nred" in html
    assert "ValueError: no" in html
    assert "<script" not in html
    (tmp_path / "r01_x.ipynb").write_text("{broken")
    assert notebook.html("r01_x") == ""


def test_it_is_a_page_with_its_plots() -> None:
    app = create_app(80)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        page = client.get("/r06_benchmarking/notebook")
        assert page.status_code == 200
        assert "jupyter" in page.text.lower()
        plot = client.get("/r06_benchmarking/notebook/0.png")
        assert plot.headers["content-type"] == "image/png"
        assert plot.content.startswith(b"\x89PNG")
        assert client.get("/r06_benchmarking/notebook/999.png").status_code == 404
        assert client.get("/r06_benchmarking/notebook/-1.png").status_code == 404
        assert client.get("/r99_none/notebook").status_code == 404
