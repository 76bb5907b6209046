"""A recipe's notebook as HTML, with the outputs that its file holds.

The file is JSON (nbformat 4): cells, and of a code cell its outputs. It is shown, not
run; `jupyter lab` runs it.
"""

import base64
import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from recipes.workbench import catalog
from recipes.workbench.page import render

COLOURS = re.compile(r"\x1b\[[\d;]*m")


def cells(recipe: str) -> list[dict[str, Any]]:
    """The cells of a recipe's notebook; none if there is no such file, or no JSON."""
    try:
        file = catalog.NOTEBOOKS / f"{recipe}.ipynb"
        found: list[dict[str, Any]] = json.loads(file.read_bytes())["cells"]
    except (OSError, ValueError, LookupError):
        return []
    return found


def pictures(recipe: str) -> list[bytes]:
    """The PNG images among its outputs."""
    data = [out.get("data", {}) for cell in cells(recipe) for out in outputs(cell)]
    return [base64.b64decode(each["image/png"]) for each in data if "image/png" in each]


def outputs(cell: dict[str, Any]) -> list[dict[str, Any]]:
    return list(cell.get("outputs", []))


def text_of(lines: str | list[str]) -> str:
    """A text, which may be kept as a list of its lines."""
    return lines if isinstance(lines, str) else "".join(lines)


def html(recipe: str) -> str:
    """All of it; images are served apart, by their number."""
    pieces: list[str] = []
    shown = 0
    for cell in cells(recipe):
        source = text_of(cell["source"])
        if cell["cell_type"] == "markdown":
            pieces.append(render.MARKDOWN.render(source, {"folder": "notebooks"}))
        elif cell["cell_type"] == "code":
            pieces.append(
                '<pre class="code" tabindex="0"><code>'
                f"{render.code(source, 'python')}</code></pre>"
            )
            for output in outputs(cell):
                if "image/png" in output.get("data", {}):
                    alt = text_of(output["data"].get("text/plain", "a plot"))
                    source = f"/{recipe}/notebook/{shown}.png"
                    pieces.append(f'<img src="{source}" alt="{escape(alt)}">')
                    shown += 1
                else:
                    pieces += printed(output)
    return "\n".join(pieces)


def printed(output: dict[str, Any]) -> Iterator[str]:
    """What a cell printed, or its value, or its error."""
    plain = output.get("data", {}).get("text/plain", "")
    text = text_of(output.get("text", plain)) or "\n".join(output.get("traceback", []))
    if text:
        yield (
            '<pre class="code output" tabindex="0"><code>'
            f"{escape(COLOURS.sub('', text))}</code></pre>"
        )
