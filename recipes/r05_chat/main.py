"""A chat in one room, with a page."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from recipes.r05_chat import chat

app = FastAPI(title="A chat")
app.include_router(chat.router)
app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
