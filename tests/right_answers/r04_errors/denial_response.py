"""Strangers get a response of Starlette's; messages are looked at by hand."""

import json
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse

app = FastAPI()


def said(text: str) -> str | None:
    """What the message says; None if it is wrong."""
    try:
        message: Any = json.loads(text)
        words = message["text"]
        words.encode()  # not with lone surrogates
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    if message != {"type": "say", "text": words} or not 1 <= len(words) <= 280:
        return None
    return str(words)


@app.websocket("/ws")
async def say(websocket: WebSocket) -> None:
    if not websocket.headers.get("authorization", "").strip():
        challenge = {"WWW-Authenticate": 'Bearer realm="the exercise"'}
        response = JSONResponse({"detail": "Who are you?"}, 401, challenge)
        await websocket.send_denial_response(response)
        return
    await websocket.accept()
    wrong = 0
    while True:
        match await websocket.receive():
            case {"text": str(text)}:
                if words := said(text):
                    wrong = 0
                    await websocket.send_json({"type": "said", "text": words})
                    continue
                wrong += 1
                if wrong == 3:
                    await websocket.close(1008, "Too many invalid messages")
                    return
                await websocket.send_json({"type": "error", "detail": "No say."})
            case {"bytes": bytes()}:
                await websocket.close(1003, "Text only")
                return
            case _:
                return
