"""What was held in a console, as code: a script, or a test for pytest.

The frames of all connections become steps, in the order in which they happened.
Connections that were open at the same time make a talk; each talk is written down one
step after the other.
"""

import builtins
import json
import keyword
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from unicodedata import east_asian_width
from urllib.parse import urlsplit

from websockets.frames import EXTERNAL_CLOSE_CODES

from recipes.workbench.exchange import (
    MOST_KEPT,
    Closed,
    Exchange,
    Failed,
    Frame,
    Refused,
    Target,
    TokenRequest,
)

WIDTH = 88
# Seconds that a script gives a talk, beside those that the server took then. Leaving a
# server that does not answer a close takes 10 of them.
PATIENCE = 20
# A server accepts before the console knows of it: what others received in these
# seconds before a connection opened may be a consequence of it.
SLACK = 0.1
# Blocks in blocks. More connections than these can hold are put on a stack.
DEEPEST = 3
# Characters of a refusal's body, and levels of JSON, that a test compares as values.
LONGEST_BODY = 300
DEEPEST_JSON = 10
# Bytes that the `websockets` client takes by default.
MAX_SIZE = 2**20
# Headers of a refusal that say what to do about it.
TELLING = ["WWW-Authenticate", "Location", "Retry-After"]


def as_python(exchanges: Sequence[Exchange]) -> str:
    """A script with the `websockets` client that holds the same conversations again.

    Its exit status is 0 if the server does again what it did then.
    """
    return _Client(exchanges).text()


def as_test(
    exchanges: Sequence[Exchange],
    module: str,
    settings: Mapping[str, str] = {},
    *,
    crashes: Sequence[str] | None = None,
) -> str:
    """A test that holds the same conversations with `module`'s app on TestClient.

    Args:
        exchanges: what the consoles and one server said to each other.
        module: the module that the server served.
        settings: the server's own environment variables.
        crashes: the classes of the exceptions that left its handlers, one for each,
            in these exchanges or before; None if that is not known.

    Raises:
        ValueError: `module` is no name of a module.
    """
    if not all(_is_identifier(part) for part in module.split(".")):
        raise ValueError(f"{module!r} is no name of a module")
    return _Test(exchanges, module, settings, crashes).text()


# What happened, in order


class Step(NamedTuple):
    """One thing that happened.

    Attributes:
        at: when, as `Frame.at`.
        who: the number of the exchange.
        does: open, refused, failed, send, receive, ping, awaited ping, pong came,
            pong, unfinished, close or cut (by the console), closed (by the server).
        data: what was sent or received, a text as a string. A text that is no UTF-8
            stays bytes.
        is_text: whether it is a text.
    """

    at: float
    who: int
    does: str
    data: str | bytes = b""
    is_text: bool = False


@dataclass(frozen=True)
class Talk:
    """Connections that were open at the same time; `left_out` counts frames."""

    steps: list[Step]
    left_out: int

    def of(self, who: int, *kinds: str) -> list[Step]:
        """One connection's steps of these kinds."""
        return [step for step in self.steps if step.who == who and step.does in kinds]

    def opened(self) -> list[int]:
        """The connections whose handshake succeeded."""
        return [step.who for step in self.steps if step.does == "open"]

    def runs(self) -> int:
        """How many blocks it needs, if connections opened in a row share one."""
        opens = [step.does == "open" for step in self.steps]
        return sum(
            now and not before
            for before, now in zip([False, *opens], opens, strict=False)
        )


def _talks(exchanges: Sequence[Exchange]) -> list[Talk]:
    """The exchanges as talks, in the order in which these began."""
    every = [_steps(who, exchange) for who, exchange in enumerate(exchanges)]
    members: list[list[int]] = []
    over = -math.inf
    for who in sorted(range(len(exchanges)), key=lambda who: every[who][0].at):
        if every[who][0].at >= over:
            members.append([])
        members[-1].append(who)
        exchange = exchanges[who]
        is_open = exchange.end is None or exchange.left_out
        ended = math.inf if is_open else max(exchange.ended, every[who][-1].at)
        over = max(over, ended)
    return [_talk(exchanges, every, each) for each in members]


def _talk(
    exchanges: Sequence[Exchange], every: Sequence[list[Step]], members: Sequence[int]
) -> Talk:
    full = [exchanges[who] for who in members if exchanges[who].left_out]
    # What followed after frames that are gone cannot be repeated without them.
    last = min((each.frames[-1].at for each in full if each.frames), default=math.inf)
    steps = [step for who in members for step in every[who] if step.at <= last]
    steps.sort(key=lambda step: step.at)
    return Talk(_causes_first(steps), sum(each.left_out for each in full))


def _causes_first(steps: Iterable[Step]) -> list[Step]:
    """The steps, with an opening before what others received because of it."""
    ordered: list[Step] = []
    for step in steps:
        place = len(ordered)
        if step.does in {"open", "refused", "cut"}:
            while place and _may_follow(ordered[place - 1], step):
                place -= 1
        ordered.insert(place, step)
    return ordered


def _may_follow(earlier: Step, step: Step) -> bool:
    came = earlier.does in {"receive", "closed"} and earlier.who != step.who
    return came and step.at - earlier.at < SLACK


def _steps(who: int, exchange: Exchange) -> list[Step]:
    """One exchange as steps."""
    end, frames = exchange.end, exchange.frames
    if isinstance(end, Refused | Failed):
        does = "refused" if isinstance(end, Refused) else "failed"
        return [Step(exchange.began or exchange.ended, who, does)]
    closing = next((n for n, f in enumerate(frames) if f.kind == "close"), len(frames))
    # The first frame may come with the answer to the handshake, and be noted before.
    began = min([exchange.began, *(frame.at for frame in frames[:1])])
    steps = [Step(began, who, "open"), *_said(who, frames[:closing])]
    if isinstance(end, Closed):
        ended = max(exchange.ended, steps[-1].at)
        at = frames[closing].at if closing < len(frames) else ended
        own = "cut" if end.code == 1006 else "close"
        steps.append(Step(at, who, own if end.by == "client" else "closed"))
    return steps


def _said(who: int, frames: Iterable[Frame]) -> list[Step]:
    """Messages, pings and pongs, but not what a client library does by itself."""
    steps: list[Step] = []
    begun: dict[bool, list[Frame]] = {True: [], False: []}
    servers_pings: list[bytes] = []
    for frame in frames:
        if frame.kind == "ping":
            if frame.sent:
                steps.append(Step(frame.at, who, "ping", frame.data))
            else:
                servers_pings.append(frame.data)
        elif frame.kind == "pong":
            if not frame.sent:
                _note_pong(steps, Step(frame.at, who, "pong came", frame.data))
            elif frame.data in servers_pings:
                servers_pings.remove(frame.data)
            else:
                steps.append(Step(frame.at, who, "pong", frame.data))
        else:
            parts = begun[frame.sent]
            parts.append(frame)
            if frame.final:
                steps.append(_message(who, parts))
                parts.clear()
    if begun[True]:
        steps.append(Step(begun[True][-1].at, who, "unfinished"))
    return steps


def _note_pong(steps: list[Step], pong: Step) -> None:
    """Add the pong if it answers the latest ping; an older one is not waited for."""
    for place in reversed(range(len(steps))):
        if steps[place].does == "awaited ping":
            return
        if steps[place].does == "ping":
            if steps[place].data == pong.data:
                steps[place] = steps[place]._replace(does="awaited ping")
                steps.append(pong)
            return


def _message(who: int, parts: Sequence[Frame]) -> Step:
    """A message from its frames; its time is that of the last one."""
    does = "send" if parts[-1].sent else "receive"
    step = Step(parts[-1].at, who, does, b"".join(part.data for part in parts))
    if parts[0].kind != "text":
        return step
    assert isinstance(step.data, bytes)
    try:
        return step._replace(data=step.data.decode(), is_text=True)
    except UnicodeDecodeError:
        return step._replace(is_text=True)


def _not_by_the_app(exchange: Exchange) -> str:
    """A sentence if the close was not made by the app but by its server, else ''."""
    end = exchange.end
    assert isinstance(end, Closed)
    if end.code == 1012 and not end.reason:
        return "The server was stopped here (1012)."
    if end.code == 1011 and end.reason == "keepalive ping timeout":
        return "The server waited in vain for a pong here (1011)."
    if end.code == 1009 and re.match(r"frame .*exceeds limit of \d+ bytes", end.reason):
        return "The server takes no message of this size (1009)."
    if end.code == 1007 and any(map(_is_no_utf_8, _said(0, exchange.frames))):
        return "The server takes no text that is not UTF-8 (1007)."
    if end.code == 1002 and end.reason in PROTOCOL_ERRORS:
        return "The server was sent what the protocol forbids (1002)."
    return ""


# The reasons that the library `websockets`, which is in uvicorn, gives for 1002.
PROTOCOL_ERRORS = {
    "close frame too short",
    "control frame too long",
    "expected a continuation frame",
    "fragmented control frame",
    "incorrect masking",
    "invalid opcode",
    "invalid status code",
    "reserved bits must be 0",
    "unexpected continuation frame",
}


# How it is written


@dataclass(frozen=True)
class Brackets:
    """Code in brackets, which can be laid out over several lines."""

    head: str
    inside: Sequence["Code"]
    tail: str


Code: TypeAlias = str | Brackets


def width(line: str) -> int:
    """Columns of a line: many letters of the East and most emoji take two."""
    if line.isascii() or len(line) > WIDTH:
        return len(line)
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in line)


def flat(code: Code) -> str:
    """The code in one line."""
    if isinstance(code, str):
        return code
    return code.head + ", ".join(flat(each) for each in code.inside) + code.tail


def laid_out(code: Code, indent: int = 0) -> list[str]:
    """The code in lines of WIDTH if that is possible, as ruff would format it."""
    line = " " * indent + flat(code)
    if isinstance(code, str) or not code.inside or width(line) <= WIDTH:
        return [line]
    together = " " * (indent + 4) + ", ".join(flat(each) for each in code.inside)
    inside = [together]
    if width(together) > WIDTH or (len(code.inside) > 1 and code.head[-1] != "("):
        inside = []
        for each in code.inside:
            inside += laid_out(each, indent + 4)
            if len(code.inside) > 1:
                inside[-1] += ","
    return [" " * indent + code.head, *inside, " " * indent + code.tail]


def block(keyword: str, items: Sequence[Code], indent: int) -> list[str]:
    """The first lines of a `with` or an `async with`."""
    line = f"{' ' * indent}{keyword} {', '.join(flat(each) for each in items)}:"
    if width(line) <= WIDTH:
        return [line]
    if len(items) == 1:
        return laid_out(around(f"{keyword} ", items[0], ":"), indent)
    lines = [f"{' ' * indent}{keyword} ("]
    for item in items:
        lines += laid_out(item, indent + 4)
        lines[-1] += ","
    return [*lines, f"{' ' * indent}):"]


def around(before: str, code: Code, after: str = "") -> Code:
    """The code with something before and after it."""
    if isinstance(code, str):
        return before + code + after
    return Brackets(before + code.head, code.inside, code.tail + after)


def equal(left: str, right: Code, indent: int) -> list[str]:
    """An assertion, laid out."""
    whole = around(f"assert {left} == ", right)
    if isinstance(right, Brackets) or width(flat(whole)) + indent <= WIDTH:
        return laid_out(whole, indent)
    inner = " " * (indent + 4)
    return [
        f"{' ' * indent}assert (",
        f"{inner}{left}",
        f"{inner}== {right}",
        f"{' ' * indent})",
    ]


def literal(value: str | bytes) -> str:
    """A string or bytes as a literal, in double quotes unless these need escapes."""
    text = repr(value)
    start = text.index(text[-1]) + 1
    body = text[start:-1]
    if text[-1] == '"' or body.count('"') > body.count("\\'"):
        return text
    body = body.replace("\\'", "'").replace('"', '\\"')
    return f'{text[: start - 1]}"{body}"'


def value(of: Any, before: str = "") -> Code:
    """A value that came as JSON, as code."""
    if isinstance(of, dict):
        items = [value(each, f"{literal(key)}: ") for key, each in of.items()]
        return Brackets(f"{before}{{", items, "}")
    if isinstance(of, list):
        return Brackets(f"{before}[", [value(each) for each in of], "]")
    return before + (literal(of) if isinstance(of, str) else repr(of))


def json_value(text: str | bytes) -> Any:
    """The object or array in a text; None if there is none that can be compared."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    comparable = isinstance(found, dict | list) and _comparable(found, DEEPEST_JSON)
    return found if comparable else None


def _comparable(found: Any, levels: int) -> bool:
    """Whether the value has a literal: NaN has none, nor what is nested too deeply."""
    if isinstance(found, dict | list):
        inner = found.values() if isinstance(found, dict) else found
        return levels > 0 and all(_comparable(each, levels - 1) for each in inner)
    return not isinstance(found, float) or math.isfinite(found)


# In a comment these would mean something to a tool.
PRAGMA = re.compile(r"noqa|(type|fmt|ruff|mypy|pylint|pyright|isort|yapf):|nosec", re.I)


def shown(data: str | bytes) -> str:
    """What came, for a comment; '' if it cannot stand in one."""
    start = data[:WIDTH]
    plain = isinstance(start, str) and start.isprintable() and start == start.strip()
    text = str(start) if plain and start else literal(start)
    return "" if PRAGMA.search(text) else text + ("" if start == data else "…")


def printable(text: str) -> str:
    r"""The text for a comment: a newline becomes \n."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


# Names


def _is_identifier(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
# What the scripts use themselves.
TAKEN = {
    *("accepted", "answer", "app", "asyncio", "client", "connect", "contextmanager"),
    *("fetch_token", "form", "headers", "httpx", "httpx2", "json", "leaving", "main"),
    *("os", "pytest", "refusal", "response", "session", "stack", "suppress", "sys"),
    *("url", "websocket"),
    *dir(builtins),
    *keyword.kwlist,
    *keyword.softkwlist,
}


def _names(exchanges: Sequence[Exchange]) -> list[str]:
    """A variable for each exchange: from its path, or from its number."""
    opened = [n for n, e in enumerate(exchanges) if not isinstance(e.end, NEVER_OPEN)]
    paths = [urlsplit(exchanges[n].target.url).path for n in opened]
    found = [path.rstrip("/").rpartition("/")[2].lower() for path in paths]
    if len(opened) == 1:
        found = ["websocket"]
    elif len(set(found)) < len(found) or not all(_is_free(name) for name in found):
        found = ORDINALS[: len(opened)]
        found += [f"number_{n}" for n in range(len(found) + 1, len(opened) + 1)]
    names = dict(zip(opened, found, strict=True))
    return [names.get(n, "") for n in range(len(exchanges))]


def _is_free(name: str) -> bool:
    fits = re.fullmatch(r"[a-z][a-z0-9_]{1,19}", name) and not name.endswith("pong")
    return bool(fits) and name not in TAKEN and not name.startswith("token")


NEVER_OPEN = (Refused, Failed)


# What both have in common


class _Script:
    """Lines of code, written talk by talk; what differs is in the two below."""

    keyword = "with"
    stack = "ExitStack() as stack"
    enter_stack = "stack.enter_context("
    # The kinds of steps that are written with the connection's name.
    named: tuple[str, ...] = ()

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = exchanges
        self.talks = _talks(exchanges)
        self.names = _names(exchanges)
        self.several = sum(bool(name) for name in self.names) > 1
        self.tokens: list[TokenRequest] = []
        for exchange in exchanges:
            token = exchange.target.token
            has_answer = not isinstance(exchange.end, Failed)
            if token and has_answer and token not in self.tokens:
                self.tokens.append(token)
        self.lines: list[str] = []
        self.indent = 4
        # What stands before the first connection in the next `with`.
        self.first: list[Code] = []
        self.block_is_empty = False
        self.has_code = False
        # What the lines need of the rest of the file.
        self.needs: set[str] = set()

    # Lines

    def put(self, code: Code, comment: str = "") -> None:
        """Write a statement; the comment stands beside it if there is room."""
        lines = laid_out(code, self.indent)
        beside = f"{lines[-1]}  # {comment}"
        if comment and len(lines) == 1 and width(beside) <= WIDTH:
            lines = [beside]
        elif comment:
            room = WIDTH - self.indent - 2
            fits = comment if len(comment) <= room else f"{comment[: room - 1]}…"
            lines.insert(0, f"{' ' * self.indent}# {fits}")
        self.put_lines(lines)

    def put_lines(self, lines: Iterable[str]) -> None:
        self.lines += lines
        self.block_is_empty = False
        self.has_code = True

    def remark(self, text: str) -> None:
        """Write a comment of its own, in as many lines as it takes."""
        room = WIDTH - self.indent - 2
        for line in textwrap.wrap(printable(text), room, break_on_hyphens=False):
            self.lines.append(f"{' ' * self.indent}# {line}")

    def enter(self, items: Sequence[Code]) -> None:
        self.put_lines(block(self.keyword, items, self.indent))
        self.indent += 4
        self.block_is_empty = True

    def leave(self, indent: int) -> None:
        """End all blocks that are deeper than `indent`."""
        if self.block_is_empty:
            self.put("pass")
        self.indent = indent

    # Talks

    def write(self, talk: Talk) -> None:
        indent = self.indent
        on_stack = talk.runs() > DEEPEST
        if on_stack:
            self.needs.add("stack")
            self.enter([*self.first, self.stack])
            self.first = []
        waiting: list[int] = []
        for step in talk.steps:
            if step.does == "open" and not on_stack:
                waiting.append(step.who)
                continue
            self.open(waiting, talk)
            waiting = []
            if step.does == "open":
                self.put_on_stack(step.who, talk)
            else:
                self.write_step(step, talk)
        self.open(waiting, talk)
        if talk.left_out:
            self.remark(
                f"{talk.left_out} more frames are left out: of a conversation, a "
                f"console keeps the first {MOST_KEPT}."
            )
        if self.indent > indent:
            self.leave(indent)

    def open(self, waiting: Sequence[int], talk: Talk) -> None:
        """Open these connections in one block."""
        if not waiting:
            return
        items = list(self.first)
        self.first = []
        for who in waiting:
            *others, connection = self.contexts(who, talk)
            name = f" as {self.names[who]}" if self.is_used(who, talk) else ""
            items += [*others, around("", connection, name)]
        self.enter(items)
        for who in waiting:
            self.opened(who)

    def put_on_stack(self, who: int, talk: Talk) -> None:
        *others, connection = self.contexts(who, talk)
        for other in others:
            self.put(Brackets(self.enter_stack, [other], ")"))
        name = f"{self.names[who]} = " if self.is_used(who, talk) else ""
        self.put(Brackets(f"{name}{self.enter_stack}", [connection], ")"))
        self.opened(who)

    def write_step(self, step: Step, talk: Talk) -> None:
        """One step; the kinds that both write alike."""
        end = self.exchanges[step.who].end
        if isinstance(end, Failed):
            url = self.exchanges[step.who].target.url
            self.remark(f"{url} gave no answer: {end.sentence}")
        elif isinstance(end, Refused):
            self.refused(step.who, end)
        elif step.does == "unfinished":
            self.remark("A message was begun here, and never finished.")
        elif step.does == "closed":
            assert isinstance(end, Closed)
            if sentence := self.unrepeatable(step.who):
                self.remark(sentence)
            else:
                self.closed(step.who, end, talk)

    def is_used(self, who: int, talk: Talk) -> bool:
        """Whether a connection needs a name."""
        return any(self.takes_name(step) for step in talk.steps if step.who == who)

    def takes_name(self, step: Step) -> bool:
        """Whether the step is written with its connection's name."""
        if step.does == "closed":
            return not self.unrepeatable(step.who)
        return step.does in self.named

    # What differs

    def contexts(self, who: int, talk: Talk) -> list[Code]:
        """What is entered to open a connection; the last is the connection."""
        raise NotImplementedError

    def opened(self, who: int) -> None:
        """Write what can be seen of a connection that has just been opened."""

    def unrepeatable(self, who: int) -> str:
        """A sentence if the server's close cannot be had again, else ''."""
        raise NotImplementedError

    def closed(self, who: int, end: Closed, talk: Talk) -> None:
        raise NotImplementedError

    def refused(self, who: int, end: Refused) -> None:
        raise NotImplementedError

    # Parts

    def headers(
        self, target: Target, more: Sequence[tuple[str, str]] = ()
    ) -> list[tuple[str, str]]:
        """Names and values as code, with the token that is fetched."""
        token = self.token_name(target)
        pairs = [
            (literal(key), self.header_value(each))
            for key, each in [*target.headers, *more]
            if not (token and key.lower() == "authorization")
        ]
        if token:
            pairs.append(('"Authorization"', f'f"Bearer {{{token}}}"'))
        return pairs

    def header_value(self, text: str) -> str:
        return literal(text)

    def token_name(self, target: Target) -> str:
        if target.token is None:
            return ""
        number = self.tokens.index(target.token) + 1
        return f"token_{number}" if len(self.tokens) > 1 else "token"

    def title(self, where: str) -> str:
        """The docstring's first line, without its end."""
        # The address is a user's: it is shown if it is harmless.
        is_plain = re.fullmatch(r"[\w.:/?&=%~@+,;\[\]-]{1,60}", where, re.ASCII)
        where = where if is_plain else "a server"
        if len(self.exchanges) == 1:
            return f'"""A conversation with {where}, held in a console.'
        return f'"""Conversations with {where}, held in consoles.'

    def nothing(self) -> str:
        """What is written if nothing can be said again."""
        remarks = [line.strip() for line in self.lines if line.strip().startswith("#")]
        text = '"""Nothing was said here that could be said again."""\n'
        return "\n".join([text, *remarks, ""]) if remarks else text


def once(headers: Sequence[tuple[str, str]]) -> bool:
    """Whether no header is there more than once."""
    return len({key.lower() for key, _ in headers}) == len(headers)


def pairs(before: str, headers: Sequence[tuple[str, str]]) -> Code:
    """Headers as a dictionary, or as a list if one is there more than once."""
    if once(headers):
        return Brackets(f"{before}{{", [f"{key}: {each}" for key, each in headers], "}")
    return Brackets(f"{before}[", [Brackets("(", pair, ")") for pair in headers], "]")


def close_arguments(code: int, reason: str) -> list[Code]:
    """What `close()` is called with; 1000 is what it takes by itself."""
    if code == 1000:
        return [f"reason={literal(reason)}"] if reason else []
    return [str(code), *([literal(reason)] if reason else [])]


def told(refused: Refused) -> Iterator[tuple[str, str]]:
    """The headers of a refusal that say what to do, each if it is there once."""
    for name in TELLING:
        found = [each for key, each in refused.headers if key.lower() == name.lower()]
        if len(found) == 1:
            yield name, found[0]


# The script


class _Client(_Script):
    """A script with the `websockets` client."""

    keyword = "async with"
    stack = "AsyncExitStack() as stack"
    enter_stack = "await stack.enter_async_context("
    named = ("receive", "send", "ping", "awaited ping", "pong", "close", "cut")

    def text(self) -> str:
        for token in self.tokens:
            self.put_token(token)
        self.is_single = len(self.exchanges) == 1
        if self.is_single and not isinstance(self.exchanges[0].end, Failed):
            self.put_address(self.exchanges[0].target)
        self.has_code = False
        for talk in self.talks:
            self.first = [f"asyncio.timeout({self.bound(talk)})"]
            self.write(talk)
        if not self.has_code:
            return self.nothing()
        return "\n".join([*self.top(), *self.lines, *self.bottom(), ""])

    def top(self) -> list[str]:
        url = self.exchanges[0].target.url
        title = self.title(url if self.is_single else urlsplit(url).netloc)
        on_stack = "stack" in self.needs
        errors = ["InvalidStatus"] if "refusal" in self.needs else []
        return [
            f'{title}"""',
            "",
            "import asyncio",
            "import sys",
            *(["from contextlib import AsyncExitStack"] if on_stack else []),
            "",
            *(["import httpx"] if self.tokens else []),
            "from websockets.asyncio.client import connect",
            "from websockets.exceptions import "
            + ", ".join([*errors, "WebSocketException"]),
            *(FETCH_TOKEN if self.tokens else []),
            "",
            "",
            "async def main() -> None:",
        ]

    def bottom(self) -> list[str]:
        http = ["httpx.HTTPError"] if self.tokens else []
        caught = ", ".join(["OSError", *http, "WebSocketException"])
        return [
            "",
            "",
            'if __name__ == "__main__":',
            "    try:",
            "        asyncio.run(main())",
            "    except TimeoutError:",
            '        sys.exit("This time, the server took too long.")',
            f"    except ({caught}) as error:",
            '        sys.exit(f"No conversation: {error}. Is the server running?")',
        ]

    def put_address(self, target: Target) -> None:
        """Variables for what would make the `with` too long."""
        self.put(f"url = {literal(target.url)}")
        if headers := self.headers(target):
            self.put(pairs("headers = ", headers))

    def put_token(self, token: TokenRequest) -> None:
        found = (each.target for each in self.exchanges if each.target.token == token)
        target = next(found)
        parts = urlsplit(target.url)
        scheme = "https" if parts.scheme == "wss" else "http"
        url = f"{scheme}://{parts.netloc}/{token.path.removeprefix('/')}"
        arguments = [literal(url), value(token.form)]
        head = f"{self.token_name(target)} = await fetch_token("
        self.put(Brackets(head, arguments, ")"))

    def bound(self, talk: Talk) -> int:
        """Seconds for a talk: more if it was the server that let us wait."""
        waited = [
            step.at - before.at
            for before, step in zip(talk.steps, talk.steps[1:], strict=False)
            if step.does in {"receive", "closed", "pong came"}
        ]
        return PATIENCE + math.ceil(sum(each for each in waited if each > 1))

    # Connections

    def contexts(self, who: int, talk: Talk) -> list[Code]:
        return [self.connecting(who)]

    def connecting(self, who: int) -> Code:
        target = self.exchanges[who].target
        arguments: list[Code] = ["url" if self.is_single else literal(target.url)]
        headers = self.headers(target)
        if headers and self.is_single:
            arguments.append("additional_headers=headers")
        elif headers:
            arguments.append(pairs("additional_headers=", headers))
        if target.subprotocols:
            arguments.append(value(list(target.subprotocols), "subprotocols="))
        if target.origin:
            arguments.append(f"origin={literal(target.origin)}")
        if self.largest(who) > MAX_SIZE:
            arguments.append("max_size=None")
        return Brackets("connect(", [*arguments, "proxy=None"], ")")

    def largest(self, who: int) -> int:
        """Bytes of the largest message that was received."""
        steps = _said(who, self.exchanges[who].frames)
        came = [step.data for step in steps if step.does == "receive"]
        sizes = [len(m.encode() if isinstance(m, str) else m) for m in came]
        return max(sizes, default=0)

    def opened(self, who: int) -> None:
        if self.exchanges[who].target.subprotocols:
            label = self.label(who, "subprotocol:")
            self.put(f"print({label}, {self.names[who]}.subprotocol)")

    def is_used(self, who: int, talk: Talk) -> bool:
        offers = bool(self.exchanges[who].target.subprotocols)
        return offers or super().is_used(who, talk)

    def unrepeatable(self, who: int) -> str:
        end = self.exchanges[who].end
        # The other closes come again if the same bytes are sent again.
        is_timely = isinstance(end, Closed) and end.code in {1011, 1012}
        return _not_by_the_app(self.exchanges[who]) if is_timely else ""

    def label(self, who: int, text: str) -> str:
        """The text as a literal, with the name if there are several connections."""
        return f'"{self.names[who]} {text}"' if self.several else f'"{text}"'

    # Steps

    def write_step(self, step: Step, talk: Talk) -> None:
        name, end = self.names[step.who], self.exchanges[step.who].end
        pong = f"{name}_pong" if self.several else "pong"
        match step.does:
            case "receive":
                label = f'"{name}:", ' if self.several else ""
                self.put(f"print({label}await {name}.recv())", shown(step.data))
            case "send":
                said: list[Code] = [literal(step.data)]
                if _is_no_utf_8(step):
                    said.append("text=True")
                self.put(Brackets(f"await {name}.send(", said, ")"))
            case "ping" | "pong":
                self.put(f"await {name}.{step.does}({literal(step.data)})")
            case "awaited ping":
                self.put(f"{pong} = await {name}.ping({literal(step.data)})")
            case "pong came":
                self.put(f"await {pong}")
            case "close":
                assert isinstance(end, Closed)
                valid = end.code in EXTERNAL_CLOSE_CODES or 3000 <= end.code < 5000
                code, note = (end.code, "") if valid else (1000, f"{end.code} then")
                arguments = close_arguments(code, end.reason)
                self.put(Brackets(f"await {name}.close(", arguments, ")"), note)
            case "cut":
                self.put(f"{name}.transport.abort()", "no close frame: the line is cut")
            case _:
                super().write_step(step, talk)

    def closed(self, who: int, end: Closed, talk: Talk) -> None:
        name = self.names[who]
        reason = f" {shown(end.reason)}" if end.reason else ""
        self.put(f"await {name}.wait_closed()", f"{end.code}{reason}")
        arguments = [self.label(who, "closed with"), f"{name}.close_code"]
        if end.reason:
            arguments.append(f"{name}.close_reason")
        self.put(Brackets("print(", arguments, ")"))

    def refused(self, who: int, end: Refused) -> None:
        self.needs.add("refusal")
        indent = self.indent
        self.put("try:")
        self.indent += 4
        self.enter([self.connecting(who)])
        self.put('sys.exit("This time, the server accepted the connection.")')
        self.indent = indent
        self.put("except InvalidStatus as refusal:")
        self.indent += 4
        self.put("response = refusal.response")
        self.put('print("refused with HTTP", response.status_code)', str(end.status))
        for name, came in told(end):
            self.put(f'print("{name}:", response.headers.get("{name}"))', shown(came))
        if end.body:
            came = end.body.decode(errors="replace")
            self.put('print(response.body.decode(errors="replace"))', shown(came))
        self.indent = indent


FETCH_TOKEN = [
    "",
    "",
    "async def fetch_token(url: str, form: dict[str, str]) -> str:",
    '    """A fresh token, since the one that was used then may have expired."""',
    "    async with httpx.AsyncClient(trust_env=False) as client:",
    "        answer = await client.post(url, data=form)",
    '    token: str = answer.raise_for_status().json()["access_token"]',
    "    return token",
]


# The test

# Where exceptions come from that are no builtins.
MODULES = {
    "JSONDecodeError": "json",
    "ValidationError": "pydantic",
    "WebSocketDisconnect": "fastapi",
}
# uvicorn raises it for what TestClient lets pass; or the test itself may raise it.
UNCLEAR = {"AssertionError", "Exception", "RuntimeError"}


class _Test(_Script):
    """A test on Starlette's TestClient."""

    named = ("receive", "send", "close", "cut")

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        module: str,
        settings: Mapping[str, str],
        crashes: Sequence[str] | None,
    ) -> None:
        super().__init__(exchanges)
        self.module, self.settings = module, settings
        # What uvicorn itself raises, at a close code of the app, TestClient does not.
        known = [name for name in crashes or [] if name != "ProtocolError"]
        own = [name for name in known if name != "WebSocketDisconnect"]
        lost = sum(_ended_suddenly(each) for each in exchanges)
        self.is_known = crashes is not None
        if lost > 1 and own and (len(set(own)) > 1 or len(own) < lost):
            self.is_known = False  # which of them crashed, and how
        # The classes of what ended connections without a close frame, and the others.
        self.crashes = sorted(set(own)) if lost else []
        self.late = sorted(set(known) - set(self.crashes))
        self.let_out = {"WebSocketDisconnect", *self.late}

    def text(self) -> str:
        self.first = ["TestClient(app) as client"]
        if self.tokens or not self.is_in_one_block():
            self.enter(self.first)
            self.first = []
        for number, token in enumerate(self.tokens, start=1):
            self.put_token(token, number)
        self.has_code = False
        for talk in self.talks:
            self.write(talk)
        if not self.has_code:
            return self.nothing()
        if "leaving" in self.needs:
            self.needs.update(self.suppressed())
        return "\n".join([*self.top(), *self.lines, ""])

    def is_in_one_block(self) -> bool:
        """Whether the first connection's block can be that of the client, too."""
        if len(self.talks) != 1:
            return False
        steps = self.talks[0].steps
        crashed_early = len(steps) == 1 and _ended_suddenly(self.exchanges[0])
        return steps[0].does == "open" or crashed_early

    def top(self) -> list[str]:
        title = self.title(self.module)
        waits = [
            "",
            "TestClient has no time limit: if a message does not come, press Ctrl-C.",
            '"""',
        ]
        with_settings: list[str] = []
        if self.settings:
            with_settings = [
                "# The server ran with these, and the app reads them when imported.",
                *(
                    f"os.environ[{literal(key)}] = {literal(each)}"
                    for key, each in self.settings.items()
                ),
                "",
            ]
        return [
            *([title, *waits] if "receive" in self.needs else [f'{title}"""']),
            "",
            *self.imports(),
            "",
            *with_settings,
            f"from {self.module} import app",
            *(self.leaving() if "leaving" in self.needs else []),
            "",
            "",
            "def test_conversation() -> None:",
        ]

    def imports(self) -> list[str]:
        leaving, client = "leaving" in self.needs, ["TestClient"]
        exceptions = {m: n for n, m in MODULES.items() if n in self.needs}
        standard, others = [], []
        if self.settings:
            standard.append("import os")
        if leaving:
            standard.append("from collections.abc import Iterator")
            standard.append(
                "from contextlib import ExitStack, contextmanager, suppress"
            )
            client = ["TestClient", "WebSocketTestSession"]
        elif "stack" in self.needs:
            standard.append("from contextlib import ExitStack")
        if "denial" in self.needs:
            client.insert(1, "WebSocketDenialResponse")
        if "json" in exceptions:
            standard.append(f"from json import {exceptions.pop('json')}")
        others += [f"import {m}" for m in ("httpx2", "pytest") if m in self.needs]
        others += [f"from {m} import {exceptions[m]}" for m in sorted(exceptions)]
        others += laid_out_import("starlette.testclient", client)
        return [*standard, "", *others] if standard else others

    def suppressed(self) -> list[str]:
        """What a handler may let out when its client leaves."""
        if "Exception" in self.let_out or not all(map(_can_be_named, self.let_out)):
            return ["Exception"]
        return sorted(self.let_out)

    def leaving(self) -> list[str]:
        errors = ", ".join(self.suppressed())
        return [
            "",
            "",
            "@contextmanager",
            "def leaving(session: WebSocketTestSession) -> "
            "Iterator[WebSocketTestSession]:",
            '    """The session. How its handler ends when we leave is not judged."""',
            "    stack = ExitStack()",
            "    websocket = stack.enter_context(session)",
            "    try:",
            "        yield websocket",
            "    finally:",
            f"        with suppress({errors}):",
            "            stack.close()",
        ]

    def put_token(self, token: TokenRequest, number: int) -> None:
        arguments = [literal(f"/{token.path.removeprefix('/')}"), "data=form"]
        name = "token" if len(self.tokens) == 1 else f"token_{number}"
        self.put(value(token.form, "form = "))
        tail = ').json()["access_token"]'
        self.put(Brackets(f"{name} = client.post(", arguments, tail))

    # Connections

    def takes_name(self, step: Step) -> bool:
        return super().takes_name(step) and not _is_no_utf_8(step)

    def contexts(self, who: int, talk: Talk) -> list[Code]:
        connection = self.connecting(who)
        match self.manner(who, talk):
            case "crashes":
                return [self.raises(), connection]
            case "leaving":
                self.needs.add("leaving")
                return [Brackets("leaving(", [connection], ")")]
        return [connection]

    def manner(self, who: int, talk: Talk) -> str:
        """How the handler ends: it crashes, may crash when we leave it, or neither."""
        exchange = self.exchanges[who]
        ends_itself = bool(talk.of(who, "closed")) and not _not_by_the_app(exchange)
        if _ended_suddenly(exchange) and ends_itself:
            if not self.is_known:
                self.let_out.add("Exception")
                return "leaving"
            # With others in the same block, the crash could hide a failed assertion.
            is_alone = len(talk.opened()) == 1
            if self.crashes and is_alone and not UNCLEAR & set(self.crashes):
                return "crashes"
            self.let_out.update(self.crashes)
            return "leaving" if self.crashes or self.late else ""
        if ends_itself:
            return "leaving" if self.late else ""
        has_left = bool(talk.of(who, "close", "cut"))
        return "" if has_left and self.is_known and not self.late else "leaving"

    def raises(self) -> Code:
        self.needs |= {"pytest", *self.crashes}
        if all(_can_be_named(name) for name in self.crashes):
            names = ", ".join(self.crashes)
            return f"pytest.raises({f'({names})' if ', ' in names else names})"
        # Where it can be imported from is not known.
        names = ", ".join(literal(name) for name in self.crashes)
        check = f"check=lambda crash: type(crash).__name__ in [{names}]"
        return Brackets("pytest.raises(", [check], ")")

    def connecting(self, who: int) -> Code:
        target = self.exchanges[who].target
        arguments: list[Code] = [literal(_address(target))]
        if target.subprotocols:
            arguments.append(value(list(target.subprotocols), "subprotocols="))
        origin = [("Origin", target.origin)] if target.origin else []
        headers = self.headers(target, origin)
        if headers and once(headers):
            arguments.append(pairs("headers=", headers))
        elif headers:
            self.needs.add("httpx2")
            several = pairs("", headers)
            arguments.append(Brackets("headers=httpx2.Headers(", [several], ")"))
        return Brackets("client.websocket_connect(", arguments, ")")

    def header_value(self, text: str) -> str:
        # TestClient takes no other text than ASCII; bytes are sent as they are.
        return literal(text if text.isascii() else text.encode())

    def unrepeatable(self, who: int) -> str:
        exchange = self.exchanges[who]
        if sentence := _not_by_the_app(exchange):
            return f"{sentence} TestClient has no such server."
        if not _ended_suddenly(exchange):
            return ""
        return (
            "The server ended it here without a close frame (1006), which TestClient "
            "does not show: a receive would wait for ever."
        )

    # Steps

    def write_step(self, step: Step, talk: Talk) -> None:
        name, end = self.names[step.who], self.exchanges[step.who].end
        match step.does:
            case "receive":
                self.receive(name, step.data)
            case "send" if _is_no_utf_8(step):
                self.remark("A text that is not UTF-8 was sent; TestClient has none.")
            case "send":
                kind = "text" if step.is_text else "bytes"
                data = literal(step.data)
                self.put(Brackets(f"{name}.send_{kind}(", [data], ")"))
            case "ping" | "awaited ping" | "pong":
                if "pings" not in self.needs:
                    self.remark("A ping or a pong was sent; TestClient has none.")
                self.needs.add("pings")
            case "close":
                assert isinstance(end, Closed)
                arguments = close_arguments(end.code, end.reason)
                self.put(Brackets(f"{name}.close(", arguments, ")"))
            case "cut":
                self.put(f"{name}.close(1005)", "cut: that is what uvicorn makes of it")
            case _:
                super().write_step(step, talk)

    def receive(self, name: str, data: str | bytes) -> None:
        self.needs.add("receive")
        found = json_value(data) if isinstance(data, str) else None
        if found is not None:
            self.assert_equal(f"{name}.receive_json()", value(found))
        else:
            kind = "text" if isinstance(data, str) else "bytes"
            self.assert_equal(f"{name}.receive_{kind}()", literal(data))

    def assert_equal(self, left: str, right: Code) -> None:
        self.put_lines(equal(left, right, self.indent))

    def closed(self, who: int, end: Closed, talk: Talk) -> None:
        self.needs.add("receive")
        close = {"type": "websocket.close", "code": end.code, "reason": end.reason}
        self.assert_equal(f"{self.names[who]}.receive()", value(close))

    def refused(self, who: int, end: Refused) -> None:
        connection = self.connecting(who)
        if _ended_suddenly(self.exchanges[who]):
            self.crashed_early(connection)
        elif end.status == 403 and not end.body:
            self.closed_early(connection)
        else:
            self.denied(connection, end)

    def crashed_early(self, connection: Code) -> None:
        if self.crashes:
            self.knock([*self.first, self.raises(), connection], "pass")
            self.first = []
        else:
            self.remark(
                "Refused with HTTP 500, since the handler neither accepted nor closed. "
                "TestClient might wait for ever, so this is not said again."
            )

    def closed_early(self, connection: Code) -> None:
        """A close before accept(); a handler that crashed later looks the same."""
        self.needs |= {"pytest", "WebSocketDisconnect"}
        self.put("accepted = False")
        items = ["pytest.raises(WebSocketDisconnect)", connection]
        self.knock(items, "accepted = True")
        self.put("assert not accepted", "a server makes HTTP 403 of it")

    def denied(self, connection: Code, end: Refused) -> None:
        self.needs |= {"pytest", "denial"}
        error = "pytest.raises(WebSocketDenialResponse) as refusal"
        self.knock([error, connection], "pass")
        self.put(f"assert refusal.value.status_code == {end.status}")
        for name, came in told(end):
            # A date, or the server's own address, would not be the same again.
            if name == "WWW-Authenticate" or (name == "Location" and came[:1] == "/"):
                left = f'refusal.value.headers["{name}"]'
                self.assert_equal(left, literal(came))
        text = end.body.decode(errors="replace")
        if (found := json_value(text)) is not None:
            self.assert_equal("refusal.value.json()", value(found))
        elif text and len(text) <= LONGEST_BODY:
            self.assert_equal("refusal.value.text", literal(text))

    def knock(self, items: Sequence[Code], then: str) -> None:
        indent = self.indent
        self.enter(items)
        self.put(then)
        self.leave(indent)


def laid_out_import(module: str, names: Sequence[str]) -> list[str]:
    head = f"from {module} import "
    line = head + ", ".join(names)
    if width(line) <= WIDTH:
        return [line]
    return [f"{head}(", *(f"    {name}," for name in names), ")"]


def _address(target: Target) -> str:
    """What TestClient connects to: a path, unless the host matters, too."""
    parts = urlsplit(target.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # Apps compare Origin with Host, which TestClient takes from the address.
    matters = target.origin or "@" in parts.netloc or path.startswith("//")
    return target.url if matters else path


def _is_no_utf_8(step: Step) -> bool:
    """Whether a text is not UTF-8."""
    return step.does == "send" and step.is_text and isinstance(step.data, bytes)


def _ended_suddenly(exchange: Exchange) -> bool:
    """Whether a handler crashed, or returned without the close that it owed."""
    end = exchange.end
    if isinstance(end, Refused):
        return end.status == 500 and end.body == b"Internal Server Error"
    return isinstance(end, Closed) and end.by == "server" and end.code == 1006


def _can_be_named(name: str) -> bool:
    found = getattr(builtins, name, None)
    is_builtin = isinstance(found, type) and issubclass(found, Exception)
    return is_builtin or name in MODULES
