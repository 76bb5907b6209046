# fails: test_idle_client_is_closed
# The timeout counts from the start, so it ends busy clients.
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
    end = asyncio.get_running_loop().time() + IDLE_TIMEOUT
    while True:
        try:
            async with asyncio.timeout_at(end):
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
