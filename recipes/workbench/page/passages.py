"""The texts in parts that can be found: headings, paragraphs, rows of tables, code."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from markdown_it.token import Token

from recipes.workbench import catalog
from recipes.workbench.page import render


@dataclass(frozen=True)
class Passage:
    """A part of a text, in plain words.

    Attributes:
        heading: the nearest heading above it; its own words, if it is one.
        anchor: where in the text that heading is.
        level: of a heading, from 1 for a title; 0 for all else.
    """

    heading: str
    anchor: str
    text: str
    level: int = 0


def passages(name: str) -> list[Passage]:
    """The passages of a text; `name` is its path from the root."""
    file = catalog.ROOT / name
    return _read(name, file.stat().st_mtime_ns)


def outline(name: str) -> list[Passage]:
    """The headings of a text, without its title and what is below the second level."""
    return [passage for passage in passages(name) if passage.level == 2]


@lru_cache(maxsize=64)
def _read(name: str, saved: int) -> list[Passage]:
    """With the time of the last save, so that a text is read anew after it."""
    source = (catalog.ROOT / name).read_text(encoding="utf-8")
    return list(_parts(render.MARKDOWN.parse(source)))


def _parts(tokens: list[Token]) -> Iterator[Passage]:
    heading = anchor = ""
    level = 0
    row: list[str] | None = None
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close" and row is not None:
            yield Passage(heading, anchor, " – ".join(filter(None, row)))
            row = None
        elif token.type == "fence" and token.info.strip() != "mermaid":
            yield Passage(heading, anchor, " ".join(token.content.split()))
        elif token.type == "inline":
            text = " ".join("".join(_words(token.children or [])).split())
            if level:
                heading, anchor = text, render.anchor(token.content.replace("`", ""))
                yield Passage(heading, anchor, text, level)
                level = 0
            elif row is not None:
                row.append(text)
            else:
                yield Passage(heading, anchor, text)


def _words(children: list[Token]) -> Iterator[str]:
    for child in children:
        if child.type in {"softbreak", "hardbreak"}:
            yield " "
        elif child.type != "image":
            yield child.content
