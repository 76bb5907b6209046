"""A mounted ASGI app: a loop of events until the one that says disconnect."""

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

app = FastAPI()


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    number = 1
    while (event := await receive())["type"] == "websocket.receive":
        text = event.get("text")
        if text is None:
            await send({"type": "websocket.send", "bytes": event["bytes"]})
        else:
            await send({"type": "websocket.send", "text": f"{number}: {text}"})
        number += 1


app.mount("/", count)
