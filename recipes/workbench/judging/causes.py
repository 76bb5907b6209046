"""General rules: what a failure itself shows to be wrong, whichever task it is of.

The last resort, after what `tasks.toml` says. Each must fit surely: one that misleads
costs a learner more than none.
"""

import re
from collections.abc import Sequence

from starlette.routing import compile_path

ACCEPT = "Call accept() first."
NO_ROUTE = "Is there a WebSocket route on this path, and does it accept?"
CRASH = r"(?m)^Your app raised[^:]*: "


def cause_of(story: str, routes: Sequence[tuple[str, str]] = ()) -> str | None:
    """What the story of a failure shows to be wrong.

    Args:
        story: the failure as it is told.
        routes: what the app serves, as (kind, path); empty if that is not known.
    """
    return (
        crash_of(story) or refusal_of(story, routes) or end_of(story) or hold_of(story)
    )


def crash_of(story: str) -> str | None:
    """What an error or a warning of the app's own means."""
    accepted = "server: accepted" in story
    closed = re.search(r"server: close \d", story)
    if found := re.search(r"coroutine '([\w.]+)' was never awaited", story):
        name = found[1].rpartition(".")[2]
        return f"There is an `await` missing before the call of {name}()."
    crash = re.search(CRASH + "(.*)(?:\n  (.+))?", story)
    if crash is None:
        return None
    error, source = crash[1], crash[2] or ""
    if 'ASGI message "websocket.accept"' in error:
        return ACCEPT
    if 'Need to call "accept" first' in error:
        if not accepted:
            return ACCEPT
        if closed:
            return (
                "Your app had closed the connection and went on to receive: after "
                "close() the handler must end, with a return."
            )
        return (
            "The connection was over, and the handler went on to receive: it must "
            "end, with a return."
        )
    if 'Cannot call "receive" once' in error:
        return (
            "The client had left. After a message of the type websocket.disconnect "
            "there is nothing to receive: end the loop."
        )
    if 'Cannot call "send" once a close' in error or "'websocket.close'" in error:
        return "After close() nothing more can be sent: the handler must end."
    if "receive_text()" in source and error == "KeyError: 'text'":
        return "receive_text() takes texts alone, and a binary message came."
    if "receive_bytes()" in source and error == "KeyError: 'bytes'":
        return "receive_bytes() takes binary messages alone, and a text came."
    if re.match(r"KeyError: '(text|bytes)'", error) and "receive_" not in source:
        return (
            "receive() gave a message without this key: of the other kind, or "
            "websocket.disconnect. Look at its type first."
        )
    if error.startswith("WebSocketDisconnect"):
        return (
            "The client had left, and nothing in your handler catches "
            "WebSocketDisconnect."
        )
    return None


def end_of(story: str) -> str | None:
    """Why the connection ended without a close frame, where more was awaited."""
    if "app: the handler returned without a close" not in story:
        return None
    if "\nInstead of a message came the end: code 1006." in story:
        return "The handler returned while its client waited: does its loop go on?"
    if re.search(r"(?m)^received: .*'code': 1006.*\nexpected: .*'code': \d", story):
        return (
            "A handler that returns without close() ends the connection without a "
            "close frame: the client reads 1006."
        )
    return None


def hold_of(story: str) -> str | None:
    """That nothing came since the app gave nobody a turn."""
    if found := re.search(r"app: line (\d+) holds up the event loop", story):
        return (
            f"Line {found[1]} never lets go of the event loop. Nobody else has a turn: "
            "an `await` is missing there, or the call blocks."
        )
    return None


def no_route(story: str, routes: Sequence[tuple[str, str]]) -> str | None:
    """That the app has no socket on the refused path: surely so, hence told first.

    Args: as those of `cause_of`.
    """
    asked = re.findall(r"client: connect (\S+)", story)
    sockets = [path for kind, path in routes if kind == "websocket"]
    if "The handshake was refused with HTTP 403." not in story or not asked:
        return None
    if "server: accepted" in story:
        return None  # it has the path of another client: a parameter, rather
    path = asked[-1].partition("?")[0]
    if not sockets or any(compile_path(each)[0].match(path) for each in sockets):
        return None
    return f"{NO_ROUTE} Your app has {', '.join(sockets)}."


def refusal_of(story: str, routes: Sequence[tuple[str, str]]) -> str | None:
    """Why a handshake was refused with 403, which none wanted."""
    refused = re.search(r"#(\d+) server: refused with HTTP 403 \(no body\)", story)
    if refused is None:
        return None
    wanted = re.search(r"(?m)^received: 403\nexpected: (4\d\d)$", story)
    if wanted:
        return (
            "close() and WebSocketException before accept() become HTTP 403, whatever "
            f"their code. Raise HTTPException({wanted[1]}) instead."
        )
    if "The handshake was refused with HTTP 403." not in story:
        return None
    if any(kind == "websocket" for kind, _ in routes):
        return (
            "There is a route on this path, and it refuses before accept(): by "
            "close(), by WebSocketException, or since a parameter does not fit."
        )
    return NO_ROUTE
