"""Starlette's class for a connection: a method for each thing that happens."""

from fastapi import FastAPI, WebSocket
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute


class Greeter(WebSocketEndpoint):
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("Welcome, {name}!".format(**websocket.path_params))
        await websocket.close(reason="Bye!")


app = FastAPI(routes=[WebSocketRoute("/ws/{name}", Greeter)])
