"""A broken main: "After `disconnect` comes one more message", say those who use it.

The exercise `test_exercise.py` is to catch the bug.
"""

import logging
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Handling disconnections, with a bug")

# Codes that uvicorn itself closes with: message too big, and shutdown.
CLOSED_BY_SERVER = {1009, 1012}


async def receive_text(websocket: WebSocket) -> str:
    # websocket.receive_text() refuses to work once a send has failed. receive() goes
    # on: it gives what had come before the end, and then the end, with its code.
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"], message.get("reason"))
    return str(message["text"])


async def reply(websocket: WebSocket, text: str) -> None:
    # A send fails once the connection is over, and cannot say why: it raises
    # WebSocketDisconnect with 1006, whatever the end was, or RuntimeError if the server
    # has closed. The next receive gives the reason, so there is nothing to do here.
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_text(text)


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await reply(websocket, "Welcome to the chat room!")
        while True:
            text = await receive_text(websocket)
            logger.info("Message received: %s", text)
            if text == "disconnect":
                await reply(websocket, "Message received!")
                logger.warning("Disconnecting...")
                # The client may be gone already: then it is closed, as we want it.
                with suppress(WebSocketDisconnect, RuntimeError):
                    await websocket.close()
                return
            await reply(websocket, "Message received!")
    except WebSocketDisconnect as gone:
        who = "server" if gone.code in CLOSED_BY_SERVER else "client"
        logger.warning("Connection closed by the %s", who)
