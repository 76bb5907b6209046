"""What is to do in an exercise: that part of its recipe's text, by itself."""

import re

from recipes.workbench import catalog
from recipes.workbench.page import render


def statement(recipe: str) -> str:
    """The part `## Exercise` of a README as HTML, without its heading."""
    folder = f"recipes/{recipe}"
    text = (catalog.ROOT / folder / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Exercise\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    html = str(render.MARKDOWN.render(found[1] if found else "", {"folder": folder}))
    # The whole text is on the page, too, and has these names already.
    return re.sub(r'(<h\d) id="[^"]*"', r"\1", html)
