"""What was held in consoles, as code: a script, or a test for pytest.

Each exchange becomes steps, such as open, send and closed. The steps of all exchanges
are sorted by time, and each is written as a statement, or as a comment if it cannot be
repeated. What users and servers said is written by `literal` and `comment` alone.
"""

import ast
import builtins
import json
import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from textwrap import indent
from typing import NamedTuple
from urllib.parse import urlsplit

from recipes.workbench.consoles.exchange import (
    Closed,
    Exchange,
    Failed,
    Frame,
    Refused,
    Target,
)

# Columns of a statement, which stands in a block in a function.
WIDTH = 80
# Seconds that a script may take, beside those that the conversation took.
PATIENCE = 20
# Seconds. A console notes an opening, or a cut, after the server knew of it; others may
# have received before that what the server made of it.
SLACK = 0.05
# Characters of what came, in a comment, and of a refusal's body that a test compares.
SHOWN, COMPARED = 60, 300


def as_python(exchanges: Sequence[Exchange]) -> str:
    """A script with the `websockets` client that holds the same conversation again.

    Its exit status is 0 if the server keeps up its side of it.
    """
    script = _Script(exchanges)
    times = [step.at for step in script.steps]
    bound = PATIENCE + math.ceil(max(times) - min(times))
    http = "httpx.HTTPError, " if any(e.target.token for e in exchanges) else ""
    code = SCRIPT.format(script.body(), bound, http)
    title = "What was said in a console, said again to the running server."
    return a_file(title, SCRIPT_IMPORTS, FETCH_TOKEN, "", code)


def as_test(
    exchanges: Sequence[Exchange],
    module: str,
    settings: Mapping[str, str] = {},
    *,
    crashes: Sequence[str] | None = None,
) -> str:
    """A test that holds the same conversation with `module`'s app on TestClient.

    It passes if the app keeps up its side of it. `settings` are the server's own
    environment variables, and `crashes` the classes of the exceptions that left its
    handlers, in these exchanges or before; None if that is not known.

    Raises ValueError: `module` is no name of a module.
    """
    for part in module.split("."):
        if not part.isidentifier() or keyword.iskeyword(part):
            raise ValueError(f"{module!r} is no name of a module")
    code = f"def test_conversation() -> None:\n{_Test(exchanges, crashes).body()}"
    pairs = [(literal(name), literal(value)) for name, value in settings.items()]
    app = [f"os.environ[{name}] = {value}" for name, value in pairs]
    app.append(f"from {module} import app")
    title = (
        "What was said in a console. If this hangs, a message does not come: Ctrl-C."
    )
    return a_file(title, TEST_IMPORTS, LEAVING, "\n".join(app), code)


# What happened, in order


class Step(NamedTuple):
    """One thing that happened; `who` is the number of the exchange.

    It `does` open, refused, send, receive, ping, close or cut (by the console), closed
    (by the server), or note: then `data` is a sentence on what cannot be repeated.
    """

    at: float
    who: int
    does: str
    data: str | bytes | Closed | Refused = ""


def in_order(exchanges: Sequence[Exchange]) -> list[Step]:
    """The steps of all exchanges, by time."""
    every = [s for who, each in enumerate(exchanges) for s in steps_of(who, each)]
    every.sort(key=lambda step: step.at)
    gone = sum(each.left_out for each in exchanges)
    if not gone:
        return every
    # What came after frames that are gone cannot be repeated without them.
    full = [each for each in exchanges if each.left_out]
    last = min(each.frames[-1].at if each.frames else each.began for each in full)
    note = f"{gone} more frames are left out, and what came after them."
    return [*(s for s in every if s.at <= last), Step(last, 0, "note", note)]


# The closes that uvicorn makes by itself; they are not the app's, or not in time.
BY_UVICORN = r"1007 (.* at position \d+)?|1011 keepalive ping timeout|1012 "


def steps_of(who: int, exchange: Exchange) -> Iterator[Step]:
    """One exchange as steps."""
    end, frames = exchange.end, exchange.frames
    # The first frame may come with the answer to the handshake, and be noted before.
    began = min([exchange.began, *(frame.at for frame in frames[:1])]) - SLACK
    said = list(takewhile(lambda frame: frame.kind != "close", frames))
    ended = frames[len(said)].at if len(said) < len(frames) else exchange.ended
    if isinstance(end, Refused):
        yield Step(began, who, "refused", end)
    elif isinstance(end, Failed):
        note = f"{exchange.target.url} gave no answer: {end.sentence}"
        yield Step(began, who, "note", note)
    else:
        yield Step(began, who, "open")
        yield from messages(who, said)
    if not isinstance(end, Closed):
        return
    if end.by == "client" and end.code == 1006:
        last = said[-1].at if said else began
        yield Step(max(last, ended - SLACK), who, "cut", end)
    elif re.fullmatch(BY_UVICORN, f"{end.code} {end.reason}"):
        note = f"uvicorn itself, not the app, closed here: {end.code} {end.reason}"
        yield Step(ended, who, "note", note)
    else:
        yield Step(ended, who, "close" if end.by == "client" else "closed", end)


def messages(who: int, frames: Sequence[Frame]) -> Iterator[Step]:
    """Messages, put together from their frames, and the console's pings."""
    begun: dict[bool, list[Frame]] = {True: [], False: []}
    pongs = {f.data for f in frames if f.kind == "pong" and not f.sent}
    for at, sent, kind, data, final in frames:
        if kind == "ping" and sent and data in pongs:
            yield Step(at, who, "ping", data)
        elif kind == "ping" and sent:
            yield Step(at, who, "note", "A ping was sent here, and not answered.")
        elif kind in {"text", "binary", "continuation"}:
            begun[sent].append(Frame(at, sent, kind, data))
            if final:
                yield message(who, begun[sent])
                begun[sent].clear()
    for frame in begun[True][-1:]:
        yield Step(frame.at, who, "note", "A message was begun here, and not finished.")


def message(who: int, parts: Sequence[Frame]) -> Step:
    """A message; its time is that of its last frame."""
    at, does = parts[-1].at, "send" if parts[-1].sent else "receive"
    data = b"".join(part.data for part in parts)
    if parts[0].kind == "binary":
        return Step(at, who, does, data)
    try:
        return Step(at, who, does, data.decode())
    except UnicodeDecodeError:
        return Step(at, who, "note", "A text that is not UTF-8 is left out here.")


# Pieces of code


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


def close_arguments(end: Closed) -> str:
    """What `close()` is called with."""
    return f"{end.code}, {literal(end.reason)}" if end.reason else f"{end.code}"


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


# What both forms have in common

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


class _Form:
    """Steps as the body of a function; what differs is in the two below."""

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


# The script

SCRIPT = """\
async def main() -> None:
{}


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(), {}))
    except ({}OSError, WebSocketException) as error:
        sys.exit(f"This time it went differently: {{error!r}}. Does the server run?")"""

SCRIPT_IMPORTS = """\
import asyncio
import sys
from contextlib import AsyncExitStack

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException"""

FETCH_TOKEN = '''\
async def fetch_token(url: str, form: dict[str, str]) -> str:
    """A fresh token, since the one that was used then may have expired."""
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(url, data=form)
    token: str = response.raise_for_status().json()["access_token"]
    return token'''

REFUSED = """\
try:
{}
except InvalidStatus as refusal:
    print({}"refused:", refusal.response)  # HTTP {}
else:
    raise WebSocketException("the server accepted the connection")"""


class _Script(_Form):
    """A script with the `websockets` client."""

    stack = "async with AsyncExitStack() as stack:"

    def said(self, step: Step, name: str) -> str:
        label = f'"{name}:", ' if len(self.names) > 1 else ""
        match step.does, step.data:
            case "open", _:
                return self.opened(step.who, name)
            case "refused", Refused(status=status):
                return REFUSED.format(shifted(self.entered(step.who)), label, status)
            case "receive", data:
                return f"print({label}await {name}.recv())  # {literal(data)[:SHOWN]}"
            case "ping", data:
                return f"await (await {name}.ping({literal(data)}))  # for its pong"
            case "close", Closed() as end:
                return f"await {name}.close({close_arguments(end)})"
            case "cut", _:
                return f"{name}.transport.abort()  # the line is cut: no close frame"
            case "closed", Closed() as end:
                came = f'"closed with", {name}.close_code, {name}.close_reason'
                told = f"print({label}{came})  # {close_arguments(end)}"
                return f"await {name}.wait_closed()\n{told}"
        return f"await {name}.send({literal(step.data)})"

    def opened(self, who: int, name: str) -> str:
        if self.alone:
            tail = f") as {name}:" if name else "):"
            return call("async with connect(", self.arguments(who), tail)
        return f"{name} = {self.entered(who)}" if name else self.entered(who)

    def entered(self, who: int) -> str:
        connection = call("connect(", self.arguments(who))
        return call("await stack.enter_async_context(", [connection])

    def arguments(self, who: int) -> list[str]:
        target = self.exchanges[who].target
        arguments = [literal(target.url)]
        headers = [f"({literal(k)}, {literal(v)})" for k, v in own_headers(target)]
        if token := target.token:
            scheme, server, *_ = urlsplit(target.url)
            url = literal(f"{scheme.replace('ws', 'http')}://{server}{token.path}")
            fetched = f"await fetch_token({url}, {literal(token.form)})"
            headers.append(f'("Authorization", "Bearer " + {fetched})')
        if headers:
            arguments.append(f"additional_headers=[{', '.join(headers)}]")
        if target.subprotocols:
            arguments.append(f"subprotocols={literal(list(target.subprotocols))}")
        if target.origin:
            arguments.append(f"origin={literal(target.origin)}")
        # That many bytes in a message the client takes by default.
        if sum(len(frame.data) for frame in self.exchanges[who].frames) > 2**20:
            arguments.append("max_size=None")
        return [*arguments, "proxy=None"]


def own_headers(target: Target) -> list[tuple[str, str]]:
    """The headers without a token that is fetched again."""
    fetched = "authorization" if target.token else ""
    return [(k, v) for k, v in target.headers if k.lower() != fetched]


# The test

TEST_IMPORTS = """\
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx2
import pytest
from fastapi import WebSocketDisconnect
from starlette.testclient import """
TEST_IMPORTS += "TestClient, WebSocketDenialResponse, WebSocketTestSession"

LEAVING = '''\
@contextmanager
def leaving(session: WebSocketTestSession) -> Iterator[WebSocketTestSession]:
    """The session. What its handler raises when we leave is not judged."""
    stack = ExitStack()
    websocket = stack.enter_context(session)
    try:
        yield websocket
    finally:
        with suppress(Exception):
            stack.close()'''

# How many handlers end when their client leaves; what uvicorn itself raises, at a close
# code of the app.
NO_CRASHES = {"WebSocketDisconnect", "ProtocolError"}
# uvicorn raises it for what TestClient lets pass, or the test itself may raise it.
UNCLEAR = {"AssertionError", "Exception", "RuntimeError"}


class _Test(_Form):
    """A test on Starlette's TestClient."""

    stack = "with TestClient(app) as client, ExitStack() as stack:"

    def __init__(
        self, exchanges: Sequence[Exchange], crashes: Sequence[str] | None
    ) -> None:
        super().__init__(exchanges)
        names = set(crashes or []) - NO_CRASHES
        # Where the classes that are no builtins can be imported from is not known.
        is_clear = len(names) == 1 and names <= set(dir(builtins)) - UNCLEAR
        crashed = self.alone and self.steps[-1].data == Closed("server", 1006, "")
        self.raises = f"pytest.raises({min(names)})" if is_clear and crashed else ""
        # Whether a handler may raise something when the test leaves it.
        over = {"refused", "close", "cut", "closed"}
        is_over = len({s.who for s in self.steps if s.does in over}) == len(exchanges)
        self.tolerant = not self.raises and not (is_over and crashes == [])

    def said(self, step: Step, name: str) -> str:
        kind = "text" if isinstance(step.data, str) else "bytes"
        match step.does, step.data:
            case "open", _:
                return self.opened(step.who, name)
            case "refused", Refused() as end:
                return self.refused(step.who, end)
            case "send", data:
                return f"{name}.send_{kind}({literal(data)})"
            case "receive", str(text) if value := json_in(text):
                return f"assert {name}.receive_json() == {value}"
            case "receive", data:
                return f"assert {name}.receive_{kind}() == {literal(data)}"
            case "close", Closed() as end:
                return f"{name}.close({close_arguments(end)})"
            case "cut", _:
                return f"{name}.close(1005)  # a cut line, as uvicorn tells it"
            case "closed", Closed(code=1006):
                return "# Ended without a close frame (1006): nothing to receive."
            case "closed", Closed(code=code, reason=reason):
                close = [f'"code": {code}', f'"reason": {literal(reason)}']
                items = ['"type": "websocket.close"', *close]
                return call(f"assert {name}.receive() == {{", items, "}")
        return "# A ping was sent here; TestClient has none."

    def opened(self, who: int, name: str) -> str:
        connection = self.connection(who)
        if self.tolerant:
            connection = call("leaving(", [connection])
        if not self.alone:
            before = f"{name} = " if name else ""
            return call(f"{before}stack.enter_context(", [connection])
        items = ["TestClient(app) as client", self.raises, connection]
        items[-1] += f" as {name}" if name else ""
        items = [item for item in items if item]
        line = f"with {', '.join(items)}:"
        is_short = len(line) <= WIDTH + 4 and "\n" not in line
        return line if is_short else call("with (", items, "):")

    def refused(self, who: int, end: Refused) -> str:
        knock = f"knock = {self.connection(who)}"
        if (end.status, end.body) == (500, b"Internal Server Error"):
            # If the handler did not crash but said nothing, a test would wait for ever.
            return "# Refused with HTTP 500: the handler crashed, or did not answer."
        if end.status == 403 and not end.body:
            with_ = "with pytest.raises(WebSocketDisconnect):  # HTTP 403 to a client"
            return f"{knock}\n{with_}\n    stack.enter_context(knock)"
        lines = [
            knock,
            "with pytest.raises(WebSocketDenialResponse) as refusal:",
            "    stack.enter_context(knock)",
            f"assert refusal.value.status_code == {end.status}",
        ]
        for key, value in end.headers:
            if key.lower() == "www-authenticate":
                header = 'refusal.value.headers["WWW-Authenticate"]'
                lines.append(f"assert {literal(value)} in {header}")
        if 0 < len(end.body) <= COMPARED:
            body = literal(end.body.decode(errors="replace"))
            lines.append(f"assert refusal.value.text == {body}")
        return "\n".join(lines)

    def connection(self, who: int) -> str:
        target = self.exchanges[who].target
        parts = urlsplit(target.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Apps compare Origin with Host, which TestClient takes from the address.
        is_whole = target.origin or "@" in parts.netloc or path.startswith("//")
        arguments = [literal(target.url if is_whole else path)]
        if target.subprotocols:
            arguments.append(f"subprotocols={literal(list(target.subprotocols))}")
        headers = own_headers(target)
        if target.origin:
            headers.append(("Origin", target.origin))
        # TestClient takes no other text than ASCII; bytes are sent as they are.
        pairs = [
            (literal(k), literal(v if v.isascii() else v.encode())) for k, v in headers
        ]
        if token := target.token:
            fetch = f"client.post({literal(token.path)}, data={literal(token.form)})"
            fetched = f'"Bearer " + {fetch}.json()["access_token"]'
            pairs.append(('"Authorization"', fetched))
        if len({key.lower() for key, _ in pairs}) < len(pairs):
            items = ", ".join(f"({key}, {value})" for key, value in pairs)
            arguments.append(f"headers=httpx2.Headers([{items}])")
        elif pairs:
            items = ", ".join(f"{key}: {value}" for key, value in pairs)
            arguments.append(f"headers={{{items}}}")
        return call("client.websocket_connect(", arguments)
