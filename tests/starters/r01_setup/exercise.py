"""Exercise: greet each client by name, and say goodbye with a reason.

Run it:    uvicorn recipes.r01_setup.exercise:app
Check it:  pytest --mine tests/test_r01_setup.py
"""

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Exercise: greet by name")


@app.websocket("/ws/{name}")
async def greet(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    # TODO 1: a client at /ws/Ada gets the text `Welcome, Ada!` instead of this one.
    await websocket.send_text("TODO")
    # TODO 2: close with the code 1000 and the reason `Bye!`.
