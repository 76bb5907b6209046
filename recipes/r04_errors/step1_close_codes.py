"""Refuse a handshake without an Authorization header; close with a reason."""

import logging
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Close codes")


async def receive_text(websocket: WebSocket) -> str:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"], message.get("reason"))
    return str(message["text"])


async def reply(websocket: WebSocket, text: str) -> None:
    # It fails once the connection is over; why, only the next receive can say.
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_text(text)


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    if not websocket.headers.get("Authorization"):
        await websocket.close()  # before accept(): the client gets HTTP 403
        return
    await websocket.accept()
    try:
        await reply(websocket, "Welcome to the chat room!")
        while True:
            text = await receive_text(websocket)
            logger.info("Message received: %s", text)
            if text == "disconnect":
                logger.warning("Disconnecting...")
                with suppress(WebSocketDisconnect, RuntimeError):  # closed already
                    await websocket.close(1000, "Disconnecting...")
                return
            await reply(websocket, "Message received!")
    except WebSocketDisconnect as gone:
        who = "server" if gone.code in {1009, 1012} else "client"
        logger.warning("Connection closed by the %s", who)
