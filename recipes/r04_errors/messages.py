"""Several types of message: a union that says by `type` which one came."""

import json
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from .main import receive_text_only, reply

app = FastAPI(title="Several types of message")


class Say(BaseModel):
    type: Literal["say"]
    text: str = Field(min_length=1, max_length=280)


class Move(BaseModel):
    type: Literal["move"]
    x: int
    y: int


Message: TypeAdapter[Say | Move] = TypeAdapter(
    Annotated[Say | Move, Field(discriminator="type")]
)


def answer_to(text: str) -> dict[str, str | int]:
    """What is sent back for a text, right or wrong."""
    try:
        message = Message.validate_json(text)
    except ValidationError as error:
        # The sentence alone, and cut: it may hold what came, however long.
        problem = error.errors(include_url=False, include_input=False)[0]
        return {"type": "error", "detail": problem["msg"][:200]}
    match message:
        case Say():
            return {"type": "said", "text": message.text}
        case Move():
            return {"type": "moved", "x": message.x, "y": message.y}


@app.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            text = await receive_text_only(websocket)
            await reply(websocket, json.dumps(answer_to(text)))
