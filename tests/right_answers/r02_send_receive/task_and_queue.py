"""One task receives, another one answers, and a queue lies between."""

import asyncio

from fastapi import FastAPI, WebSocket
from starlette.types import Message

app = FastAPI()
Inbox = asyncio.Queue[Message | None]


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    inbox: Inbox = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(receive(websocket, inbox))
        tasks.create_task(answer(websocket, inbox))


async def receive(websocket: WebSocket, inbox: Inbox) -> None:
    while True:
        match await websocket.receive():
            case {"type": "websocket.receive"} as message:
                await inbox.put(message)
            case _:
                await inbox.put(None)
                return


async def answer(websocket: WebSocket, inbox: Inbox) -> None:
    number = 0
    while (message := await inbox.get()) is not None:
        number += 1
        match message:
            case {"text": str(text)}:
                await websocket.send_text(f"{number}: {text}")
            case {"bytes": bytes(data)}:
                await websocket.send_bytes(data)
