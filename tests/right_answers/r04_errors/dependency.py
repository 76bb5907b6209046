"""A dependency refuses strangers; a TypeAdapter reads; exceptions name the outcome."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import (
    Depends,
    FastAPI,
    Header,
    HTTPException,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

app = FastAPI()


@dataclass(config=ConfigDict(extra="forbid"))
class Say:
    type: Literal["say"]
    text: Annotated[str, Field(min_length=1, max_length=280)]


SAY = TypeAdapter(Say)


def known(authorization: Annotated[str, Header()] = "") -> None:
    if not authorization:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


async def texts(websocket: WebSocket) -> AsyncIterator[str]:
    while True:
        try:
            yield await websocket.receive_text()
        except KeyError:
            raise WebSocketException(1003, "Text only") from None
        except WebSocketDisconnect:
            return


@app.websocket("/ws", dependencies=[Depends(known)])
async def say(websocket: WebSocket) -> None:
    await websocket.accept()
    wrong = 0
    async for text in texts(websocket):
        try:
            message = SAY.validate_json(text)
        except ValidationError as error:
            wrong += 1
            if wrong == 3:
                raise WebSocketException(1008, "Too many invalid messages") from None
            detail = error.errors(include_input=False)[0]["msg"][:200]
            await websocket.send_json({"type": "error", "detail": detail})
        else:
            wrong = 0
            await websocket.send_json({"type": "said", "text": message.text})
