"""The calls of a page, and the texts in them that a person has typed.

A call is a JSON object with the `token` of the run and what to `do`; the models say
what else belongs to each.
"""

import json
import re
import shlex
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from recipes.workbench.refusal import Refusal

MOST_CONSOLES = 8


class Call(BaseModel):
    """What every call of the page holds."""

    model_config = ConfigDict(extra="forbid")
    token: str


class Open(Call):
    """The page shows a recipe, or the contents with none."""

    do: Literal["open"]
    recipe: str


class Start(Call):
    """Start an app; `settings` as one writes them before a command, NAME=value."""

    do: Literal["start"]
    app: str
    settings: str = Field("", max_length=1_000)


class Stop(Call):
    """Stop an app."""

    do: Literal["stop"]
    app: str


# The page names its consoles by number.
Number = Annotated[int, Field(ge=1, le=MOST_CONSOLES)]


class Connect(Call):
    """Connect a console; `headers` and `subprotocols` as one writes them."""

    do: Literal["connect"]
    console: Number
    url: str = Field(max_length=4_000)
    headers: str = Field("", max_length=16_000)
    subprotocols: str = Field("", max_length=1_000)
    origin: str = Field("", max_length=1_000)


class Send(Call):
    """Send something on a console; `data` of a binary frame is hexadecimal."""

    do: Literal["send"]
    console: Number
    kind: Literal["text", "json", "binary", "ping", "close", "cut"]
    data: str = ""
    code: int = 1000


class Leave(Call):
    """A console was taken off the page."""

    do: Literal["leave"]
    console: Number


class Token(Call):
    """Fetch a token at the server of an address, for a user that the recipe knows."""

    do: Literal["token"]
    console: Number
    url: str = Field(max_length=4_000)
    user: int = Field(ge=0)


class Copy(Call):
    """The exchange just held, as a script or as a test."""

    do: Literal["copy"]
    console: Number
    form: Literal["python", "test"]


class Check(Call):
    """Judge the exercise now."""

    do: Literal["check"]


class Hint(Call):
    """The n-th hint of the first task that is not passed."""

    do: Literal["hint"]
    n: int = Field(ge=1)


class Solution(Call):
    """The reference answer."""

    do: Literal["solution"]
    anyway: bool = False


class Reset(Call):
    """The starter again; a copy of the work is kept."""

    do: Literal["reset"]


Calls = (
    Check
    | Hint
    | Solution
    | Reset
    | Open
    | Start
    | Stop
    | Connect
    | Send
    | Leave
    | Token
    | Copy
)
AnyCall = TypeAdapter[Calls](Annotated[Calls, Field(discriminator="do")])


def settings_of(line: str) -> dict[str, str]:
    """The settings in `NAME=value NAME=value`. Raises Refusal."""
    try:
        pairs = [word.partition("=") for word in shlex.split(line)]
    except ValueError:
        raise Refusal("A quote is not closed in the settings.") from None
    for name, equals, value in pairs:
        if not equals or not re.fullmatch("[A-Z_][A-Z0-9_]*", name) or "\0" in value:
            raise Refusal("Settings are written NAME=value, as in IDLE_TIMEOUT=2.")
    return {name: value for name, _, value in pairs}


def headers_of(text: str) -> tuple[tuple[str, str], ...]:
    """The headers in lines of `Name: value`. Raises Refusal."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = line.partition(":")
        if not colon:
            raise Refusal(f"A header is written Name: value, not {line.strip()!r}.")
        found.append((name.strip(), value.strip()))
    return tuple(found)


def json_of(text: str) -> str:
    """The text, if it is JSON. Raises Refusal."""
    try:
        json.loads(text)
    except RecursionError:
        raise Refusal("Not sent: it is nested too deeply.") from None
    except ValueError as error:
        raise Refusal(f"Not sent, since it is no JSON: {error}.") from None
    return text


def bytes_of(text: str) -> bytes:
    """The bytes that hexadecimal digits stand for. Raises Refusal."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refusal(
            "Not sent: binary is written in pairs of hexadecimal digits, 00 ff."
        ) from None
