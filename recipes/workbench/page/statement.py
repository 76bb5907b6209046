"""What a recipe's text says of its exercise, and in which order it shows its apps."""

import re
from collections.abc import Mapping

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


def in_its_order(recipe: str, apps: Mapping[str, str]) -> dict[str, str]:
    """The apps of a recipe in the order in which its text comes to them."""
    text = (catalog.RECIPES / recipe / "README.md").read_text(encoding="utf-8")

    def first(name: str) -> int:
        found = re.search(rf"\b{name}(\.py|:app)", text)
        return found.start() if found else len(text)

    return {name: apps[name] for name in sorted(apps, key=first)}
