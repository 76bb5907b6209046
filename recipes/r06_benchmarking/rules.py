"""What the chat takes: names, texts, and what of them may go to the log."""

from typing import Annotated

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException, status
from pydantic import AfterValidator

LONGEST_NAME = 32  # characters
LONGEST_TEXT = 64 * 1024  # bytes of UTF-8
RESERVED = {"system", "you"}


def check_name(name: str) -> str:
    """The name as it is. Raises ValueError if nobody may have it."""
    trimmed = name.strip()
    if not trimmed or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {LONGEST_NAME} printable characters")
    if trimmed.casefold() in RESERVED:
        raise ValueError("this name is reserved")
    return name


# Before `accept()`, FastAPI refuses what does not validate: 403 on a socket, 422 else.
Username = Annotated[str, AfterValidator(check_name)]


async def receive_text(websocket: WebSocket) -> str:
    """The next text.

    Raises:
        WebSocketDisconnect: the client left.
        WebSocketException: the message is binary (1003) or too long (1009).
    """
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"], message.get("reason"))
    text: str | None = message.get("text")
    if text is None:
        raise WebSocketException(status.WS_1003_UNSUPPORTED_DATA, "Text only")
    if len(text.encode()) > LONGEST_TEXT:
        raise WebSocketException(status.WS_1009_MESSAGE_TOO_BIG, "Too long a text")
    return text


def printable(text: str) -> str:
    r"""The text for a line of the log: a newline becomes \n, and no colours."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
