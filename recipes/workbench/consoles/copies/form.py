"""What a script and a test have in common: steps as the body of a function."""

import keyword
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from recipes.workbench.consoles.copies.code import comment, literal, shifted
from recipes.workbench.consoles.copies.steps import Step, in_order
from recipes.workbench.consoles.exchange import Closed, Exchange
from recipes.workbench.consoles.target import Target

# Names that the forms use themselves.
TAKEN = {
    *("app", "asyncio", "client", "connect", "httpx", "httpx2", "knock", "leaving"),
    *("os", "print", "pytest", "refusal", "stack", "sys"),
    *keyword.kwlist,
}


def variables(exchanges: Sequence[Exchange]) -> list[str]:
    """A variable for each connection: from its path if that fits, or numbered."""
    if len(exchanges) == 1:
        return ["websocket"]
    names = [urlsplit(e.target.url).path.rpartition("/")[2] for e in exchanges]
    fit = all(re.fullmatch("[a-z][a-z0-9_]+", n) and n not in TAKEN for n in names)
    if fit and len(set(names)) == len(names):
        return names
    return [f"console_{number}" for number in range(1, len(names) + 1)]


class Form:
    """Steps as the body of a function; each form says a step in its own way."""

    # The block around connections that are opened one by one.
    stack: str

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = exchanges
        self.steps = in_order(exchanges)
        self.names = variables(exchanges)
        # The only connection can be the block itself.
        self.alone = len(exchanges) == 1 and self.steps[0].does == "open"

    def body(self) -> str:
        """All steps, as what stands in the function."""
        code = [self.written(step) for step in self.steps]
        head = code.pop(0) if self.alone else self.stack
        if all(line.startswith("#") for line in code):
            code.append("pass")
            if not self.alone:
                return shifted("\n".join(code))
        return shifted(head + "\n" + shifted("\n".join(code)))

    def written(self, step: Step) -> str:
        """A step as code, or as a comment."""
        if step.does == "note":
            return comment(str(step.data))
        name = self.names[step.who]
        if step.does == "open":
            own = [s for s in self.steps if s.who == step.who and s.does != "open"]
            if all(self.written(each).startswith("#") for each in own):
                name = ""
        return self.said(step, name)

    def said(self, step: Step, name: str) -> str:
        """A step that is no note; the connection's name is '' if it needs none."""
        raise NotImplementedError


def close_arguments(end: Closed) -> str:
    """What `close()` is called with."""
    return f"{end.code}, {literal(end.reason)}" if end.reason else f"{end.code}"


def own_headers(target: Target) -> list[tuple[str, str]]:
    """The headers without a token that is fetched again."""
    fetched = "authorization" if target.token else ""
    return [(k, v) for k, v in target.headers if k.lower() != fetched]
