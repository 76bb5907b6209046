"""What an end of a connection means: as the table in SYMPTOMS.md says, in a line."""

import functools
import re

from recipes.workbench import catalog

# A row's first two columns; of a code the row about what a client sees.
ROW = re.compile(
    r"^\| (HTTP \d{3}|\d{4})(, (?:else|at the client)[^|]*)? \| ([^|]+) \|"
)


@functools.cache
def table() -> dict[str, str]:
    """Why, by what is seen: `1008` or `HTTP 403`."""
    found: dict[str, str] = {}
    text = (catalog.ROOT / "SYMPTOMS.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        if row := ROW.match(line):
            found.setdefault(row[1], row[3].replace("`", "").strip())
    return found


def of_code(code: int) -> str:
    """What a close code means, or where that is to be found."""
    if 4000 <= code < 5000:
        return "a code of the app's own: what it means stands in its text"
    return table().get(str(code), "")


def of_refusal(status: int) -> str:
    """Why a handshake is answered with such a status."""
    return table().get(f"HTTP {status}", "")
