"""Proof that the numbers of HTTP are no close codes: four ways to say 401."""

from fastapi import FastAPI, HTTPException, WebSocket, WebSocketException

app = FastAPI(title="401, four times")


@app.websocket("/exception-before")
async def exception_before(websocket: WebSocket) -> None:
    raise WebSocketException(code=401)


@app.websocket("/exception-after")
async def exception_after(websocket: WebSocket) -> None:
    await websocket.accept()
    raise WebSocketException(code=401)


@app.websocket("/http-before")
async def http_before(websocket: WebSocket) -> None:
    raise HTTPException(401)


@app.websocket("/http-after")
async def http_after(websocket: WebSocket) -> None:
    await websocket.accept()
    raise HTTPException(401)
