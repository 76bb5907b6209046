# fails: test_answers_mistakes, test_third_mistake_in_a_row
# The first mistake closes the connection.
from contextlib import suppress
from typing import Literal

from fastapi import (
    FastAPI,
    HTTPException,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recipes.r04_errors.main import receive_text_only

app = FastAPI(title="Exercise: named outcomes")


class Say(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["say"]
    text: str = Field(min_length=1, max_length=280)


async def answer(websocket: WebSocket, message: dict[str, str]) -> None:
    with suppress(RuntimeError):  # uvicorn has closed; the next receive says why
        await websocket.send_json(message)


def detail(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:100] for part in first["loc"])
    return f"{where}: {first['msg']}"[:200] if where else first["msg"][:200]


@app.websocket("/ws")
async def say(websocket: WebSocket) -> None:
    if not websocket.headers.get("Authorization"):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    await websocket.accept()
    wrong = 0
    with suppress(WebSocketDisconnect):
        while True:
            text = await receive_text_only(websocket)
            try:
                message = Say.model_validate_json(text)
            except ValidationError as error:
                wrong += 1
                if wrong == 1:
                    raise WebSocketException(
                        1008, "Too many invalid messages"
                    ) from None
                await answer(websocket, {"type": "error", "detail": detail(error)})
            else:
                wrong = 0
                await answer(websocket, {"type": "said", "text": message.text})
