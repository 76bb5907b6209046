"""Raw ASGI: the events themselves, without FastAPI."""

from starlette.types import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket" and scope["path"].startswith("/ws/"):
        name = scope["path"].removeprefix("/ws/")
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"Welcome, {name}!"})
        await send({"type": "websocket.close", "code": 1000, "reason": "Bye!"})
