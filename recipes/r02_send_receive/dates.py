"""What JSON has no word for: `send_json` fails on a date, a Pydantic model does not."""

from datetime import UTC, datetime

from fastapi import FastAPI, WebSocket
from pydantic import BaseModel

app = FastAPI(title="Dates in JSON")


class Arrival(BaseModel):
    name: str
    at: datetime


@app.websocket("/send-json")
async def fail(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"name": "Ada", "at": datetime.now(UTC)})


@app.websocket("/model")
async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    arrival = Arrival(name="Ada", at=datetime(2026, 5, 1, 12, 30, tzinfo=UTC))
    await websocket.send_text(arrival.model_dump_json())
    await websocket.close()
