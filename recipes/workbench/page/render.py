"""Texts and code as HTML: texts with markdown-it-py, colours with Pygments."""

import contextlib
import posixpath
import re
from collections.abc import MutableMapping, Sequence
from html import escape
from pathlib import Path
from textwrap import dedent
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

from recipes.workbench import catalog
from recipes.workbench.page.diagram import drawn
from recipes.workbench.page.sequence import NotUnderstood
from recipes.workbench.programs.commands import Command, commands, lines

Env = MutableMapping[str, Any]

LINES = HtmlFormatter(nowrap=True)
LIGHT, DARK = "xcode", "github-dark"

# The texts beside the recipes, each with the path at which the page shows it.
TEXTS = {
    "/readme": "README.md",
    "/symptoms": "SYMPTOMS.md",
    "/teaching": "tests/README.md",
    "/contributing": "CONTRIBUTING.md",
}


def styles() -> str:
    """The style sheet of the colours, for light and for dark."""
    light, dark = (
        HtmlFormatter(style=name).get_style_defs(".code")  # type: ignore[no-untyped-call]
        for name in (LIGHT, DARK)
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def code(text: str, language: str) -> str:
    """Source text as HTML; a language that Pygments does not know is left plain."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return escape(text)
    return str(highlight(text, lexer, LINES))


def file(path: Path) -> str:
    """A source file as HTML."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        return str(highlight(text, get_lexer_for_filename(path.name), LINES))
    except ClassNotFound:
        return escape(text)


def sources(recipe: str) -> list[str]:
    """The files of a recipe that are worth reading, relative to its folder."""
    folder = catalog.RECIPES / recipe
    files = [
        f for kind in ("py", "html", "js", "css") for f in folder.rglob(f"*.{kind}")
    ]
    names = [f.relative_to(folder).as_posix() for f in files if f.is_file()]
    order = {"main.py": 0, "exercise.py": 1}
    kept = [n for n in names if not n.startswith("exercise_before_reset")]
    return sorted(kept, key=lambda n: (n.count("/"), order.get(n, 2), n))


def text(name: str) -> str:
    """A text of the workbook as HTML; `name` is its path from the root."""
    source = (catalog.ROOT / name).read_text(encoding="utf-8")
    folder, base = posixpath.split(name)
    env: Env = {"folder": folder}
    if recipe := re.fullmatch(r"recipes/(r\d\d_\w+)", folder):
        env.update(text=base, commands=enumerate(commands(recipe[1], base)))
    return str(MARKDOWN.render(source, env))


def line(markdown: str) -> str:
    """A line of a text as HTML, without a paragraph around it."""
    return str(MARKDOWN.renderInline(markdown, {"folder": ""}))


def anchor(heading: str) -> str:
    """What GitHub calls a heading, for links into a page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def place(folder: str, target: str) -> str:
    """Where the page shows what a text links to; empty if it does not."""
    path, _, part = target.partition("#")
    part = f"#{part}" if part else ""
    if re.match(r"https?:", target) or not path:
        return target
    path = posixpath.normpath(posixpath.join(folder, path))
    for page, text_of_it in TEXTS.items():
        if path == text_of_it:
            return f"{page}{part}"
    if found := re.fullmatch(r"notebooks/(r\d\d_\w+)\.ipynb", path):
        return f"/{found[1]}/notebook{part}"
    if (found := re.fullmatch(r"recipes/(r\d\d_\w+)/(.+)", path)) is None:
        return ""
    recipe, name = found.groups()
    if name == "README.md":
        return f"/{recipe}{part}"
    if name == "more.md":
        return f"/{recipe}/more{part}"
    return f"/{recipe}#file:{name}"


def runnable(text: str, n: int, command: Command) -> str:
    """Where a command of a text can be run."""
    if command.kind == "terminal":
        return '<p class="for-a-terminal">For a terminal.</p>\n'
    data = {
        "kind": command.kind,
        "text": text,
        "n": n,
        "server": command.app,
        "line": command.line,
    }
    data |= {"settings": command.settings, "options": command.options}
    if command.kind == "socket":
        data["address"] = command.arguments[0]
    attributes = "".join(
        f' data-{k}="{escape(str(v))}"' for k, v in data.items() if v != ""
    )
    label = escape(f"Run {command.line}")
    return (
        f'<div class="runnable"{attributes}><p class="tools">'
        f'<button class="go" aria-label="{label}">▶ Run</button> '
        '<span role="status"></span></p>'
        '<p class="left-out" hidden></p>'
        f'<pre class="printed" role="log" aria-label="{escape(command.line)} prints" '
        'tabindex="0" hidden></pre></div>\n'
    )


class Renderer(RendererHTML):
    """markdown-it-py's own, for a text whose folder stands in `env`."""

    def fence(self, tokens: Sequence[Token], n: int, _: OptionsDict, env: Env) -> str:
        text, kind = tokens[n].content, tokens[n].info.strip()
        if kind == "mermaid":
            with contextlib.suppress(NotUnderstood):  # then its text says it
                return drawn(text)
        # Reached with the keyboard, since a long line is scrolled.
        name = "code" if kind == "python" else "code output"
        if kind == "python":
            text = dedent(text)  # an excerpt may be from deep in a file
        shown = (
            f'<pre class="{name}" tabindex="0"><code>{code(text, kind)}</code></pre>\n'
        )
        if kind == "console" and "commands" in env:
            for _line in lines(text):
                shown += runnable(env["text"], *next(env["commands"]))
        return shown

    def heading_open(
        self, tokens: Sequence[Token], n: int, _: OptionsDict, env: Env
    ) -> str:
        name = anchor(tokens[n + 1].content.replace("`", ""))
        # The page's own title is its first heading.
        return f'<{tokens[n].tag} id="{escape(name)}">'

    def link_open(
        self, tokens: Sequence[Token], n: int, _: OptionsDict, env: Env
    ) -> str:
        target = str(tokens[n].attrs.get("href", ""))
        shown = place(env["folder"], target)
        if not shown:
            return f'<a class="elsewhere" title="in the workbook: {escape(target)}">'
        away = ' rel="noreferrer" target="_blank"' if shown.startswith("http") else ""
        return f'<a href="{escape(shown)}"{away}>'

    def image(self, tokens: Sequence[Token], n: int, _: OptionsDict, env: Env) -> str:
        source, text = str(tokens[n].attrs["src"]), tokens[n].content
        path = posixpath.normpath(posixpath.join("/", env["folder"], source))
        path = path.removeprefix("/recipes")
        return f'<img src="{escape(path)}" alt="{escape(text)}" loading="lazy">'

    def table_open(self, *_: object) -> str:
        return '<div class="wide" tabindex="0"><table>'

    # The corner of a table heads nothing, and is no heading.
    def th_open(self, tokens: Sequence[Token], n: int, *_: object) -> str:
        return "<th>" if tokens[n + 1].content else "<td>"

    def th_close(self, tokens: Sequence[Token], n: int, *_: object) -> str:
        return "</th>" if tokens[n - 1].content else "</td>"

    def table_close(self, *_: object) -> str:
        return "</table></div>"


MARKDOWN = MarkdownIt("commonmark", {"html": False}, renderer_cls=Renderer)
MARKDOWN.enable("table")
