"""Recipe 5's chat socket, for any way of sending: each step brings a manager."""

import logging

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException

from recipes.r06_benchmarking.manager import Manager
from recipes.r06_benchmarking.raw_send import KeepSend
from recipes.r06_benchmarking.rules import Username, printable, receive_text

logger = logging.getLogger("uvicorn")


def create_app(title: str, manager: Manager) -> FastAPI:
    app = KeepSend(title, at_start=manager.meet)

    @app.websocket("/chatroom/{username}")
    async def chatroom(websocket: WebSocket, username: Username) -> None:
        let_go = await manager.connect(websocket)
        refusal = None
        try:
            async with let_go:
                await announce(f"{username} joined the chat", websocket)
                await converse(websocket, username)
        except WebSocketDisconnect:
            pass
        except TimeoutError:
            refusal = WebSocketException(1013, "Too slow")
        except WebSocketException as broken_rule:
            refusal = broken_rule
        finally:
            manager.disconnect(websocket)
            await announce(f"{username} left the chat")
            await manager.part(websocket, refusal)

    async def announce(event: str, exclude: WebSocket | None = None) -> None:
        logger.info("%s", event)
        if manager.announces:
            await manager.broadcast({"sender": "system", "message": event}, exclude)

    async def converse(websocket: WebSocket, username: str) -> None:
        while True:
            text = await receive_text(websocket)
            logger.info("%s says: %s", username, printable(text))
            await manager.broadcast({"sender": username, "message": text}, websocket)
            await manager.send_personal_message(
                {"sender": "You", "message": text}, websocket
            )

    return app
