"""Pieces of Python code, and a whole file of them."""

import ast
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from textwrap import indent

# Columns of a statement, which stands in a block in a function.
WIDTH = 80


def literal(value: object) -> str:
    """As `repr`, but in double quotes where these need no escapes."""
    text = repr(value)
    return text if '"' in text else text.replace("'", '"')


def comment(text: str) -> str:
    """A comment in one line: a newline becomes two characters."""
    return f"# {repr(text.strip())[1:-1]}"


def call(head: str, arguments: Sequence[str], tail: str = ")") -> str:
    """A call in one line, or with one argument in a line if that would be long."""
    line = head + ", ".join(arguments) + tail
    if len(line) <= WIDTH and "\n" not in line:
        return line
    return "\n".join([head, *(shifted(each) + "," for each in arguments), tail])


def shifted(code: str) -> str:
    return indent(code, " " * 4)


def json_in(text: str) -> str:
    """The object or list that a text holds as JSON, as code; '' if there is none."""
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        found = json.loads(text)
        # NaN, and what is nested too deeply, has no literal.
        if isinstance(found, dict | list) and ast.literal_eval(repr(found)) == found:
            return literal(found)
    return ""


def names_in(code: str) -> set[str]:
    """The names that some code uses."""
    return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}


def a_file(title: str, imports: str, helper: str, app: str, code: str) -> str:
    """A whole file, with the helper and those of the imports that its code needs."""
    if re.findall(r"def (\w+)", helper)[0] in names_in(code):
        code = f"{helper}\n\n\n{code}"
    app = app if "app" in names_in(code) else ""
    needed, kept = names_in(f"{app}\n{code}"), []
    for line in imports.splitlines():
        head, _, names = line.rpartition("import ")
        used = [name for name in names.split(", ") if name in needed]
        if used and len(line := f"{head}import {', '.join(used)}") > WIDTH + 8:
            line = call(f"{head}import (", used)
        if used or not line:
            kept.append(line)
    top = [f'"""{title}"""', "\n".join(kept).strip(), app]
    return "\n\n".join(part for part in top if part) + f"\n\n\n{code}\n"
