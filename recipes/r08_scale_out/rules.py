"""What the chat takes: names, texts, and what of them may go to the log."""

import asyncio
import re
import unicodedata
from typing import Annotated

from fastapi import Query, WebSocket, WebSocketDisconnect, WebSocketException, status
from pydantic import AfterValidator

from recipes.r08_scale_out.frames import order

LONGEST_NAME = 32  # characters
LONGEST_TEXT = 64 * 1024  # bytes of UTF-8
RESERVED = {"system", "you"}
# Printable, and yet nothing is seen: blanks that are symbols or letters, and what
# Unicode calls default-ignorable (DerivedCoreProperties.txt), variation selectors too.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00013441\U00013442\U0001d159\U000e0100-\U000e01ef]"
)


def check_name(name: str) -> str:
    """The name as it is. Raises ValueError if nobody may have it."""
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"a name has 1 to {LONGEST_NAME} characters, not all blank")
    if not name.isprintable() or UNSEEN.search(name):
        raise ValueError("each character of a name can be seen")
    # NFKC makes plain letters of those that look like them, as ｓｙｓｔｅｍ (UAX #15).
    if unicodedata.normalize("NFKC", name).strip().casefold() in RESERVED:
        raise ValueError("this name is reserved")
    return name


# Before `accept()`, FastAPI refuses what does not validate: 403 on a socket, 422 else.
Username = Annotated[str, AfterValidator(check_name)]


def check_id(since: str) -> str:
    """An id as the log writes it. Raises ValueError if it cannot be one."""
    return "{}-{}".format(*order(since))


Since = Annotated[str, AfterValidator(check_id)]
Client = Annotated[str, Query(min_length=1, max_length=64)]


async def receive_text(websocket: WebSocket) -> str:
    """The next text.

    Raises:
        WebSocketDisconnect: the client left.
        WebSocketException: the message is binary (1003) or too long (1009).
    """
    # Where the next text is here already, receive() does not wait, and a client that
    # sends thousands at once would have the server for itself: first the others' turn.
    await asyncio.sleep(0)
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
