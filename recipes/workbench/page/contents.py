"""What the contents say of each recipe: most of it stands in the root's README."""

import re
from dataclasses import dataclass

from recipes.workbench import catalog
from recipes.workbench.page import render

# A row of its table: the recipe, after it you can, know before, and minutes.
ROW = re.compile(r"^\| \[.*?\]\(recipes/(\w+)/README\.md\) \|(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """A recipe in the contents.

    Attributes:
        number: its place in the workbook, from 1.
        title: what its README is headed with.
        after: what one can do after it, as HTML; empty if the README has no row.
        before: what to know before, likewise.
        minutes: about how long it takes; likewise.
    """

    recipe: str
    number: int
    title: str
    after: str = ""
    before: str = ""
    minutes: str = ""


def entries() -> list[Entry]:
    """All recipes, in their order."""
    readme = (catalog.ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(ROW.findall(readme))
    made = []
    for number, recipe in enumerate(catalog.recipes(), 1):
        cells = [cell.strip() for cell in rows.get(recipe, "").split("|")]
        after, before, minutes, *_ = [*cells, "", ""]
        after, before = render.line(after), render.line(before)
        title = catalog.title(recipe)
        made.append(Entry(recipe, number, title, after, before, minutes))
    return made
