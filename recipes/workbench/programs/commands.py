"""The commands of a text, as its `console` blocks show them.

Nothing else can be run from the page: a page names a command by its number, and what
is run is what the text says at that place.
"""

import re
import shlex
from collections.abc import Iterator
from typing import Literal, NamedTuple

from recipes.workbench import catalog

# The texts of a recipe that may hold commands.
TEXTS = ("README.md", "more.md")
# Where a text says its server is.
TEXTS_ADDRESS = "127.0.0.1:8000"

Kind = Literal["server", "program", "socket", "terminal"]
SETTINGS = re.compile(r"(?:[A-Z_]+=\S+ )*")
# Options that make a server another one than a card starts.
OWN_OPTIONS = {"--workers", "--reload", "--port"}


class Command(NamedTuple):
    """A command of a text.

    Attributes:
        line: as it stands there.
        kind: a `server` of the recipe; a `program` in Python that ends; a `socket` that
            a console can open; or for the `terminal` alone.
        app: of a server its module; of the others the server that the text started
            last, empty if none.
        settings: of a server, NAME=value.
        options: of a server, which a card does not know.
        arguments: of a program, those of Python; of a socket its address.
    """

    line: str
    kind: Kind
    app: str = ""
    settings: str = ""
    options: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def talks(self) -> bool:
        """Whether it needs the text's server."""
        module = self.arguments[1] if self.kind == "program" else ""
        known = re.search(r"\.(client|demo|attack)\w*$", module) is not None
        return known or any(TEXTS_ADDRESS in word for word in self.arguments)

    def at(self, address: str) -> list[str]:
        """The arguments of Python, to meet a server at an address (host:port)."""
        words = [word.replace(TEXTS_ADDRESS, address) for word in self.arguments]
        if self.talks and words == list(self.arguments) and len(words) == 2:
            words.append(address)  # it was left out, since it is the one of the text
        return words


def blocks(text: str) -> Iterator[str]:
    """What stands in the `console` blocks of a text."""
    for found in re.finditer(
        r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    ):
        yield found[1]


def lines(block: str) -> list[str]:
    """The commands of a block."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def commands(recipe: str, text: str) -> list[Command]:
    """The commands of a recipe's text, in their order; none if it has no such text."""
    file = catalog.RECIPES / recipe / text
    if text not in TEXTS or not file.is_file():
        return []
    found: list[Command] = []
    app: str | None = ""
    for block in blocks(file.read_text(encoding="utf-8")):
        for line in lines(block):
            command = understood(recipe, line, app or "")
            if command.kind == "server":
                app = command.app
            elif re.match(r"(\S+=\S+ )*(uvicorn|nginx|python -m uvicorn) ", line):
                app = None  # what follows is for that one, which no card starts
            elif app is None and command.talks:
                command = Command(line, "terminal")
            found.append(command)
    return found


def understood(recipe: str, line: str, app: str) -> Command:
    """A command of a recipe's text; `app` is the server that was started before."""
    settings = SETTINGS.match(line)
    assert settings is not None
    words = shlex.split(line[settings.end() :])
    match words:
        case ["uvicorn", name, *options] if not OWN_OPTIONS & set(options):
            if found := re.fullmatch(rf"recipes\.{recipe}\.(\w+):app", name):
                given, more = settings[0].strip(), shlex.join(options)
                return Command(line, "server", found[1], given, more)
        case ["python", "-m", module, *_] if not settings[0]:
            if re.fullmatch(rf"recipes\.{recipe}\.\w+", module):
                return Command(line, "program", app, arguments=tuple(words[1:]))
        case ["pytest", *_] if not settings[0]:
            return Command(line, "program", app, arguments=("-m", *words))
        case ["websockets", address]:
            return Command(line, "socket", app, arguments=(address,))
    return Command(line, "terminal")
