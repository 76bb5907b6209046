"""The conversation that all three stages hold; what differs is who is let in."""

import asyncio
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect

# Seconds that a close frame may wait behind what the client has not read.
CLOSE_TIMEOUT = 5.0


async def converse(
    websocket: WebSocket, username: str, seconds: float | None = None
) -> None:
    """Accept, welcome the user and answer each text.

    After `seconds`, if given, the connection is closed with 1008 `Token expired`.
    """
    await websocket.accept()
    try:
        async with asyncio.timeout(seconds):
            await reply(websocket, f"Welcome {username}!")
            while (message := await websocket.receive())["type"] == "websocket.receive":
                await asyncio.sleep(0)  # the others' turn, also if the next is here
                text = message.get("text")
                if text is None:
                    await close(websocket, 1003, "Text only")
                    return
                await reply(websocket, f"You wrote: {text}")
    except TimeoutError:
        await close(websocket, 1008, "Token expired")
    except WebSocketDisconnect:
        pass


async def reply(websocket: WebSocket, text: str) -> None:
    with suppress(RuntimeError):  # uvicorn has closed; the next receive says why
        await websocket.send_text(text)


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    # The client may be gone, or may not read: then it cannot be told.
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await websocket.close(code, reason)
