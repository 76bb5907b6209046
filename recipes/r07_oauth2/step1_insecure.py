"""Stage 1: whoever says a name has it."""

from fastapi import FastAPI, WebSocket

from recipes.r07_oauth2.conversation import converse

app = FastAPI(title="Insecure")


@app.websocket("/secured-ws")
async def secured(websocket: WebSocket, username: str) -> None:
    await converse(websocket, username)
