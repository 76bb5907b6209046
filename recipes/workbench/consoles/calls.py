"""A page's calls for its consoles, and the texts in them that a person typed."""

import json
from typing import Annotated, Literal

from pydantic import Field

from recipes.workbench.desk import Call
from recipes.workbench.refusal import Refusal

MOST_CONSOLES = 8

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
    data: str = Field("", max_length=2**20)
    code: int = 1000


class Request(Call):
    """A plain HTTP request; the body of a POST as one writes it."""

    do: Literal["request"]
    console: Number
    method: Literal["GET", "POST"]
    url: str = Field(max_length=4_000)
    headers: str = Field("", max_length=16_000)
    body: str = Field("", max_length=64_000)
    form: Literal["json", "form"] = "json"


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


ConsolesCall = Connect | Send | Request | Leave | Token | Copy


def headers_of(text: str) -> tuple[tuple[str, str], ...]:
    """The headers in lines of `Name: value`. Raises Refusal."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = line.partition(":")
        if not colon:
            raise Refusal(
                f"A header is written Name: value, not {line.strip()!r}.", "headers"
            )
        found.append((name.strip(), value.strip()))
    return tuple(found)


def json_of(text: str) -> str:
    """The text, if it is JSON. Raises Refusal."""
    try:
        json.loads(text)
    except RecursionError:
        raise Refusal("Not sent: it is nested too deeply.", "data") from None
    except ValueError as error:
        raise Refusal(f"Not sent, since it is no JSON: {error}.", "data") from None
    return text


def bytes_of(text: str) -> bytes:
    """The bytes that hexadecimal digits stand for. Raises Refusal."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refusal(
            "Not sent: binary is written in pairs of hexadecimal digits, 00 ff.", "data"
        ) from None
