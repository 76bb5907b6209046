"""Where a socket's route may live: in a router, in a class, behind a mounted app."""

from fastapi import APIRouter, FastAPI, WebSocket
from starlette.endpoints import WebSocketEndpoint

app = FastAPI(title="Routes for sockets")
router = APIRouter(prefix="/api")


@router.websocket("/ws")
async def welcome(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("from the router")
    await websocket.close()


app.include_router(router)


# Starlette's own way to add a route: nothing is injected, no `Depends`, no `Query`.
@app.websocket_route("/class")
class Welcome(WebSocketEndpoint):
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("from the class")
        await websocket.close()


# A mount takes every path that no route above it took. So it should come last: the
# socket below it is never found.
app.mount("/", FastAPI(title="Pages"))


@app.websocket("/late")
async def late(websocket: WebSocket) -> None:
    await websocket.accept()
