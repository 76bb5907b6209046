"""Exercise: refuse strangers, validate messages, and answer each mistake.

Run it:    uvicorn recipes.r04_errors.exercise:app
Check it:  pytest --mine tests/test_r04_errors.py
"""

from typing import Literal

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

app = FastAPI(title="Exercise: named outcomes")


class Say(BaseModel):
    # TODO 1: the text has 1 to 280 characters, and other keys are forbidden.
    type: Literal["say"]
    text: str


@app.websocket("/ws")
async def say(websocket: WebSocket) -> None:
    # TODO 2 (core): without an Authorization header, or with an empty one, refuse the
    # handshake with HTTP 401 and the header `WWW-Authenticate: Bearer`.
    await websocket.accept()
    try:
        while True:
            # TODO 3 (more): a binary frame closes with 1003 and `Text only`. What
            # recipes.r04_errors.main has for that may be imported.
            text = await websocket.receive_text()
            # TODO 4 (core): answer a valid message (Say.model_validate_json() reads the
            # text itself) with {"type": "said", "text": …}, any other text with
            # {"type": "error", "detail": …}; at most 200 characters of detail, and the
            # connection stays open.
            # TODO 5 (more): the third wrong message in a row closes with 1008 and
            # the reason `Too many invalid messages` instead.
            await websocket.send_json({"type": "TODO", "length": len(text)})
    except WebSocketDisconnect:
        pass
