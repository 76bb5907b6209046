"""What went wrong in a test, in words: without the inner workings of who tests."""

import ast
import contextlib
import json
import re
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import httpx2
import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from recipes.workbench.judging.session import (
    NoAnswer,
    NothingCame,
    Session,
    shortened,
)
from recipes.workbench.servers.server import SET_UP

# Characters of a value in a failure, and of what is the same on both sides around it.
LONGEST = 300
AROUND = 80
KINDS = {
    "receive_text": "a text",
    "receive_bytes": "a binary message",
    "receive_json": "a text with JSON",
    "receive": "a message or the close",
}


def two_values(left: object, right: object) -> tuple[str, str]:
    """Both as Python writes them; of long ones, what lies around their difference."""
    one, other = repr(left), repr(right)
    if max(len(one), len(other)) <= LONGEST:
        return one, other
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    start = max(0, same - AROUND)
    return window(one, start), window(other, start)


def window(text: str, start: int) -> str:
    """A piece of a long text; how much is left out on both sides."""
    end = start + LONGEST
    before = f"… {start:,} more … " if start else ""
    after = f" … {len(text) - end:,} more …" if len(text) > end else ""
    return f"{before}{text[start:end]}{after}"


class Stop(NamedTuple):
    """Where a test stopped: its statement, and its own frame."""

    statement: str
    frame: FrameType

    @property
    def session(self) -> Session | None:
        """The session that a message was awaited at, if it has a name there."""
        found = re.search(r"(\w+)\.receive", self.statement)
        session = self.frame.f_locals.get(found[1]) if found else None
        return session if isinstance(session, Session) else None

    @property
    def test(self) -> ast.expr | None:
        """What the statement asserts, if it is an assert."""
        with contextlib.suppress(SyntaxError):
            nodes = ast.parse(self.statement).body
            if len(nodes) == 1 and isinstance(nodes[0], ast.Assert):
                return nodes[0].test
        return None

    @property
    def expected(self) -> str:
        """What was awaited from `receive…()`: the value, or else the kind."""
        calls = re.findall(r"\.(receive(?:_\w+)?)\(", self.statement)
        if not calls:
            return ""
        match self.test:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                value = self.value(right)
                if value is not None and f".{calls[0]}(" in ast.unparse(left):
                    end = ast.unparse(left).rpartition(")")[2]
                    return f"{end}{' == ' if end else ''}{window(value, 0)}"
        return KINDS.get(calls[0], "")

    def value(self, node: ast.expr) -> str | None:
        """An expression of the test's as it is now; None for one that receives."""
        if "receive" in ast.unparse(node):
            return None
        code = compile(ast.Expression(node), "the test", "eval")
        with contextlib.suppress(Exception):
            return repr(eval(code, self.frame.f_globals, self.frame.f_locals))
        return None


def stop_of(excinfo: pytest.ExceptionInfo[BaseException], path: Path) -> Stop | None:
    """The last line of the test's file that the exception passed."""
    entries = [entry for entry in excinfo.traceback if entry.path == path]
    if not entries:
        return None
    # Without what is for the type checker.
    lines = entries[-1].statement.deindent().lines
    statement = "\n".join(line.partition("  # type:")[0].rstrip() for line in lines)
    return Stop(statement.strip(), entries[-1].frame.raw)


def in_words(
    excinfo: pytest.ExceptionInfo[BaseException],
    stop: Stop | None,
    serves_at: int | None = None,
) -> str:
    """What went wrong, in a line or a few.

    Args:
        excinfo: what the test raised.
        stop: where it stopped, if that is in its own file.
        serves_at: the app's port, if the app still runs.
    """
    error, text = excinfo.value, str(excinfo.value)
    awaited = awaited_at(error, stop)
    match error:
        case NothingCame():
            came = (
                text[0].upper() + text[1:] + ": your app sent no message and no close."
            )
            return came + awaited
        case NoAnswer():
            return text[0].upper() + text[1:] + "."
        case WebSocketDenialResponse():
            return f"The handshake was refused with HTTP {error.status_code}."
        case WebSocketDisconnect():
            reason = f" and the reason {error.reason!r}" if error.reason else ""
            end = f"Instead of a message came the end: code {error.code}{reason}."
            return end + awaited
        case httpx2.TimeoutException():
            request = error.request
            return f"No answer to {request.method} {request.url.raw_path.decode()}."
        case ConnectionRefusedError() | TimeoutError() | httpx2.ConnectError() if (
            serves_at is not None
        ):
            return (
                f"{SET_UP} the app serves at 127.0.0.1:{serves_at}, and no connection "
                "to it can be made. Does a firewall or a proxy stand between?"
            )
        case ConnectionRefusedError() | TimeoutError() | httpx2.TransportError():
            return (
                "Nobody answers any more: your app has ended, or kept us waiting too "
                "long."
            )
        case json.JSONDecodeError():
            return f"What came is no JSON: {shortened(error.doc)}"
        case KeyError() if text in {"'text'", "'bytes'"}:
            other = {"'text'": "binary", "'bytes'": "text"}[text]
            return (
                f"The message that came is {other}; the other kind was expected."
                + awaited
            )
        case KeyError() if text == "'code'":
            return f"A message came where the end was expected.{awaited}"
        case AssertionError():
            return asserted(text, stop)
        case pytest.fail.Exception():
            if text.startswith("DID NOT RAISE") and "WebSocketDisconnect" in text:
                return "The handshake was accepted; it should have been refused."
            return text
    return of_another_form(error, stop)


def awaited_at(error: BaseException, stop: Stop | None) -> str:
    """A line with what was awaited, and at which client."""
    session = error.session if isinstance(error, NothingCame) else None
    session = session or (stop.session if stop else None)
    expected = stop.expected if stop else ""
    at = f" at {session.label}" if session else ""
    return f"\nawaited{at}: {expected}" if expected else ""


def of_another_form(error: BaseException, stop: Stop | None) -> str:
    """An error in the test's own code, which what came has no place for."""
    statement = stop.statement if stop else ""
    match error:
        case IndexError() if "client.crashes" in statement:
            right = getattr(stop.test if stop else None, "comparators", [None])[0]
            kind = stop.value(right) if stop and right else None
            return "No error has left the handler." + (
                f"\nexpected: {kind}" if kind else ""
            )
        case IndexError() if "client.log" in statement:
            right = getattr(stop.test if stop else None, "comparators", [None])[0]
            line = stop.value(right) if stop and right else None
            return "Your app has logged nothing." + (
                f"\nexpected: {line}" if line else ""
            )
        case KeyError():
            return f"What came has no {error}."
        case IndexError():
            return "What came is less than was expected."
        case TypeError() | AttributeError() | ValueError():
            return "What came is of another form than was expected."
    return f"What came cannot be used: {error}"


def asserted(text: str, stop: Stop | None) -> str:
    """An assertion that failed: what pytest says of it, without how it got there."""
    lines = [line for line in text.splitlines() if not line.startswith(" +")]
    told = "\n".join(lines).replace("\n  expected: ", "\nexpected: ")
    message, _, compared = told.rpartition("assert ")
    message = message.strip()
    if compared.startswith("received: "):
        return f"{message}\n{compared}".strip()
    if message:
        return message
    if stop is not None and isinstance(stop.test, ast.expr):
        source = " ".join(ast.unparse(stop.test).split())
        if not isinstance(stop.test, ast.Compare | ast.BoolOp):
            return f"This is not so: {source}" + (
                f", but {compared}" if compared and compared != "False" else ""
            )
        if compared:
            return f"This is not so: {window(compared, 0)}"
    return compared or told or "What the test asserts does not hold."
