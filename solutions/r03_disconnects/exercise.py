"""Count the open connections, and let silent clients go.

What must happen however a connection ends belongs in `finally`: that is the one
place that a close by either side, a cut line and an error in the handler all pass. The
timeout stands around one receive, so that each message starts it anew; around the loop
it would end busy clients too.

Another way: a counter instead of the set, raised after `accept()`; or
`asyncio.wait_for(websocket.receive_text(), IDLE_TIMEOUT)`.
"""

import asyncio
import logging
import os
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Exercise: count connections")

IDLE_TIMEOUT = float(os.environ.get("IDLE_TIMEOUT") or 30)

connected: set[WebSocket] = set()


@app.get("/connections")
async def connections() -> dict[str, int]:
    return {"connected": len(connected)}


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    connected.add(websocket)
    try:
        await converse(websocket)
    except WebSocketDisconnect as gone:
        who = "server" if gone.code in {1009, 1012} else "client"
        logger.warning("Connection closed by the %s", who)
    finally:
        connected.discard(websocket)


async def converse(websocket: WebSocket) -> None:
    await reply(websocket, "Welcome to the chat room!")
    while True:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                text = await websocket.receive_text()
        except TimeoutError:
            await close(websocket, 1001, "Idle timeout")
            return
        logger.info("Message received: %s", text)
        if text == "boom":
            raise RuntimeError("boom")  # given: a handler that fails
        if text == "disconnect":
            logger.warning("Disconnecting...")
            await close(websocket, 1000)
            return
        await reply(websocket, "Message received!")


async def reply(websocket: WebSocket, text: str) -> None:
    with suppress(RuntimeError):  # the server has closed; the next receive says why
        await websocket.send_text(text)


async def close(websocket: WebSocket, code: int, reason: str = "") -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # closed already
        await websocket.close(code, reason)
