"""A broken main: "Bad messages get through", say those who use it. "Not all of them."

The exercise `test_exercise.py` is to catch the bug.
"""

import logging
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException, status

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Errors and exceptions, with a bug")


@app.exception_handler(WebSocketException)
async def close(websocket: WebSocket, error: WebSocketException) -> None:
    # As Starlette's own handler does it, but for a client that is gone already.
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.close(error.code, error.reason)


async def receive_text_only(websocket: WebSocket) -> str:
    """The next text.

    Raises WebSocketDisconnect at the end of the connection, and WebSocketException
    with 1003 at a binary frame: "a type of data it cannot accept" (RFC 6455 §7.4.1).
    """
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"], message.get("reason"))
    text: str | None = message.get("text")
    if text is None:
        raise WebSocketException(status.WS_1003_UNSUPPORTED_DATA, "Text only")
    return text


async def reply(websocket: WebSocket, text: str) -> None:
    # It fails once the connection is over; why, only the next receive can say.
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_text(text)


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await reply(websocket, "Welcome to the chat room!")
        while True:
            text = await receive_text_only(websocket)
            logger.info("Message received: %s", text)
            if text == "disconnect":
                logger.warning("Disconnecting...")
                with suppress(WebSocketDisconnect, RuntimeError):  # closed already
                    await websocket.close(1000, "Disconnecting...")
                return
            if text == "bad message":
                raise WebSocketException(
                    status.WS_1008_POLICY_VIOLATION, "Inappropriate message"
                )
            await reply(websocket, "Message received!")
    except WebSocketDisconnect as gone:
        who = "server" if gone.code in {1009, 1012} else "client"
        logger.warning("Connection closed by the %s", who)
