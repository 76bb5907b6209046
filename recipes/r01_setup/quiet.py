"""Fewer lines in the log: uvicorn's notes of each connection are left out."""

import logging

from fastapi import FastAPI, WebSocket

app = FastAPI(title="A quiet log")


def wanted(record: logging.LogRecord) -> bool:
    """Whether a line is worth reading. Refusals stay, accepted handshakes go."""
    return not record.getMessage().endswith(
        ("[accepted]", "connection open", "connection closed")
    )


# For sockets uvicorn logs this here, and not in `uvicorn.access`, which
# `--no-access-log` switches off.
logging.getLogger("uvicorn.error").addFilter(wanted)


@app.websocket("/ws")
async def welcome(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("Welcome to the chat room!")
    await websocket.close()
