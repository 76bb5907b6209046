"""Recipes repeat one another, since each is whole. What is a copy stays one.

Recipe 5's chat comes back in later recipes, in files of the same names. What two of
them define under one name is the same text, but for what is listed here, with why.
"""

import ast
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from recipes.workbench import catalog

# The recipes with a chat, and the files of it that are copied, whole or in part.
CHATS = [
    recipe
    for recipe in catalog.recipes()
    if (catalog.RECIPES / recipe / "rules.py").is_file()
]
FILES = ["rules.py", "patience.py", "ws_manager.py", "chat.py"]
FILES += ["static/chat.css", "static/chat.js"]
# (file, name) -> why it is not the same everywhere. A name is `Class.method` in full.
MAY_DIFFER = {
    ("chat.py", "chatroom"): "recipe 8's members follow a log",
    ("chat.py", "converse"): "recipe 8 says a text to the log, under a key",
    ("static/chat.js", "outbox"): "recipe 8's page finds what it sent by its key",
    ("static/chat.js", "show"): "recipe 8's page finds what it sent by its key",
    ("static/chat.js", "connect"): "recipe 7's page asks first who its user is",
    ("static/chat.js", "address"): "recipe 7's socket has a path of its own",
}


DEFINITION = {
    ".js": r"^(?:(?:async )?function|const|let) (\w+)(?: =.*?;|;|\(.*?^\})",
    ".css": r"^([^{}/\n]+) \{.*?\}",
}


def definitions(file: Path) -> Iterator[tuple[str, str]]:
    """What a file defines, as (name, source); a class of Python by its methods."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        # Top-level constants and functions of a script, rules of a stylesheet.
        for found in re.finditer(DEFINITION[file.suffix], text, re.M | re.S):
            yield found[1], found[0]
        return
    for node in ast.parse(text).body:
        match node:
            case ast.ClassDef(name=name, body=body):
                for each in body:
                    if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield f"{name}.{each.name}", source(text, each)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, source(text, node)
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name, source(text, node)


def source(text: str, node: ast.stmt) -> str:
    return ast.get_source_segment(text, node) or ""


@pytest.mark.parametrize("file", FILES)
def test_copies_are_the_same(file: str) -> None:
    differ: set[tuple[str, str]] = set()
    shared: set[str] = set()
    for one, other in combinations(CHATS, 2):
        paths = [catalog.RECIPES / recipe / file for recipe in (one, other)]
        if all(path.is_file() for path in paths):
            mine, theirs = (dict(definitions(path)) for path in paths)
            shared |= mine.keys() & theirs.keys()
            differ |= {
                (file, name)
                for name in mine.keys() & theirs.keys()
                if mine[name] != theirs[name]
            }
    assert shared, "nothing is shared: is the file still there?"
    assert differ - MAY_DIFFER.keys() == set()
    # Nor is anything listed that does not differ any more.
    assert {each for each in MAY_DIFFER if each[0] == file} <= differ
