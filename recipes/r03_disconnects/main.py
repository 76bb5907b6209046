"""Recipe 2's conversation, with every end of the connection handled."""

import logging
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Handling connections and disconnections")

# Codes that uvicorn itself closes with: message too big, and shutdown.
CLOSED_BY_SERVER = {1009, 1012}


async def reply(websocket: WebSocket, text: str) -> None:
    # uvicorn raises RuntimeError for a send after its own close. The next receive
    # raises WebSocketDisconnect with the reason, so there is nothing to do here.
    with suppress(RuntimeError):
        await websocket.send_text(text)


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        await reply(websocket, "Welcome to the chat room!")
        while True:
            text = await websocket.receive_text()
            logger.info("Message received: %s", text)
            if text == "disconnect":
                logger.warning("Disconnecting...")
                # The client may be gone already: then it is closed, as we want it.
                with suppress(WebSocketDisconnect, RuntimeError):
                    await websocket.close()
                return
            await reply(websocket, "Message received!")
    except WebSocketDisconnect as gone:
        who = "server" if gone.code in CLOSED_BY_SERVER else "client"
        logger.warning("Connection closed by the %s", who)
