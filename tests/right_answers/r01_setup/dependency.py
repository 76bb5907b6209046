"""A dependency opens the connection, and closes it after the handler."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, WebSocket

router = APIRouter(prefix="/ws")


async def visit(websocket: WebSocket) -> AsyncIterator[WebSocket]:
    await websocket.accept()
    yield websocket
    await websocket.close(1000, "Bye!")


@router.websocket("/{name}")
async def greet(visitor: Annotated[WebSocket, Depends(visit)], name: str) -> None:
    await visitor.send_text(f"Welcome, {name}!")


app = FastAPI()
app.include_router(router)
