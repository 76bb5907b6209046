"""A test on Starlette's TestClient."""

import builtins
import keyword
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from recipes.workbench.consoles.copies.code import WIDTH, a_file, call, json_in, literal
from recipes.workbench.consoles.copies.form import Form, close_arguments, own_headers
from recipes.workbench.consoles.copies.steps import Step
from recipes.workbench.consoles.exchange import Closed, Exchange, Refused

# Characters of a refusal's body that a test compares.
COMPARED = 300

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


class Test(Form):
    """Steps as statements of a test."""

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
    code = f"def test_conversation() -> None:\n{Test(exchanges, crashes).body()}"
    pairs = [(literal(name), literal(value)) for name, value in settings.items()]
    app = [f"os.environ[{name}] = {value}" for name, value in pairs]
    app.append(f"from {module} import app")
    title = (
        "What was said in a console. If this hangs, a message does not come: Ctrl-C."
    )
    return a_file(title, TEST_IMPORTS, LEAVING, "\n".join(app), code)
