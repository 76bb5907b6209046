"""Exercise: a chat behind a login, for browsers: their cookie opens the socket.

Run it:    uvicorn recipes.r07_oauth2.exercise:app     and open /chat
Check it:  pytest --mine tests/test_r07_oauth2.py
"""

from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, Request, WebSocket
from fastapi.responses import RedirectResponse, Response
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import pages
from recipes.r07_oauth2.chat import chat
from recipes.r07_oauth2.tokens import Session

# For you: create_token and read_token of recipes.r07_oauth2.tokens, authenticate of
# recipes.r07_oauth2.users.

app = FastAPI(title="Exercise: the secured chat")
app.mount("/static", pages.static)

COOKIE = "chatroomtoken"


def current_user(connection: HTTPConnection) -> Session | None:
    # TODO 1 (core): whom the token in the cookie names, of a page or of a socket; None
    # without a valid one.
    return None


def origin_ok(websocket: WebSocket) -> bool:
    # TODO 3 (more): whether it is a page of this very host that opens the socket.
    return True


def safe_next(target: str) -> str:
    # TODO 5 (stretch): the target, if it is a page of this host, else /chat.
    return "/chat"


def login_page(
    request: Request, target: str, error: str = "", status: int = 200
) -> Response:
    context = {"next": target, "error": error}
    return pages.templates.TemplateResponse(request, "login.html", context, status)


@app.get("/login")
async def show_login(request: Request, next: str = "/chat") -> Response:
    return login_page(request, next)


@app.post("/login")
def login(
    request: Request,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/chat",
) -> Response:
    next = pages.readable(next)
    # TODO 2 (core): with the right password, set the cookie (HttpOnly, SameSite=Lax)
    # and redirect (303) to safe_next(next). Else the login page again, with an error
    # and HTTP 400.
    return login_page(request, next, "TODO")


@app.post("/logout")
async def logout() -> Response:
    # TODO 4 (more): delete the cookie, and redirect (303) to /login.
    raise HTTPException(501)


@app.get("/chat")
async def chat_page(request: Request) -> Response:
    session = current_user(request)
    if session is None:
        return RedirectResponse("/login?next=/chat", 303)
    context = {"username": session.username}
    return pages.templates.TemplateResponse(request, "chat.html", context)


@app.websocket("/chat/ws")
async def chat_socket(websocket: WebSocket) -> None:
    if not origin_ok(websocket):
        raise HTTPException(403)
    session = current_user(websocket)
    if session is None:
        raise HTTPException(401)
    await chat(websocket, session)
