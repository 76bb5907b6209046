"""FastAPI's own HTTPBearer refuses strangers; json reads, the model checks."""

import json
from typing import Annotated, Any

from fastapi import FastAPI, Security, WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

app = FastAPI()


class Say(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    type: Annotated[str, StringConstraints(pattern="^say$")]
    text: Annotated[str, StringConstraints(min_length=1, max_length=280)]


@app.websocket("/ws")
async def say(
    ws: WebSocket,
    who: Annotated[HTTPAuthorizationCredentials, Security(HTTPBearer())],
) -> None:
    await ws.accept()
    bad = 0
    while (event := await ws.receive())["type"] == "websocket.receive":
        if (text := event.get("text")) is None:
            await ws.close(code=1003, reason="Text only")
            return
        answer: dict[str, Any]
        try:
            said = Say.model_validate(json.loads(text))
            json.dumps(said.text, ensure_ascii=False).encode()
        except (ValidationError, ValueError, RecursionError) as error:
            bad += 1
            if bad >= 3:
                await ws.close(1008, "Too many invalid messages")
                return
            answer = {"type": "error", "detail": str(error)[:200] or "No JSON"}
        else:
            bad = 0
            answer = {"type": "said", "text": said.text}
        await ws.send_text(json.dumps(answer))
