"""What the chat takes, and what of it may go to the log: recipe 5's rules."""

import asyncio

from fastapi import WebSocket, WebSocketDisconnect, WebSocketException, status

LONGEST_TEXT = 64 * 1024  # bytes of UTF-8


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
