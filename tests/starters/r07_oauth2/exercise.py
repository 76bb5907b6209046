"""Exercise: a chat behind a login, for browsers: their cookie opens the socket.

Run it:    uvicorn recipes.r07_oauth2.exercise:app     and open /chat
Check it:  pytest --mine tests/test_r07_oauth2.py
"""

import os
import sys
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, Request, WebSocket
from fastapi.responses import RedirectResponse, Response
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import pages, tokens
from recipes.r07_oauth2.chat import chat, end_sockets
from recipes.r07_oauth2.tokens import Session
from recipes.r07_oauth2.tries import TooManyTries

# For you: COOKIE of recipes.r07_oauth2.chat, create_token and read_token of
# recipes.r07_oauth2.tokens, authenticate of recipes.r07_oauth2.users.

if problem := tokens.secret_problem():
    sys.exit(problem)

app = FastAPI(title="Exercise: the secured chat")
app.mount("/static", pages.static)

# Origins that are ours beside our own address, as https://chat.example, with commas.
ALLOWED_ORIGINS = os.environ.get("ALLOWED_ORIGINS", "")


def current_user(connection: HTTPConnection) -> Session | None:
    # TODO 1 (core): whom the token in the cookie names, of a page or of a socket; None
    # without a valid one.
    return None


def origin_ok(connection: HTTPConnection) -> bool:
    # TODO 3 (more): whether it is a page of this very host, or of an origin in
    # ALLOWED_ORIGINS, that opens the socket or sends the form.
    return True


def own_form(request: Request) -> None:
    # Given: a form of a foreign page is refused. Programs send no Origin.
    if "Origin" in request.headers and not origin_ok(request):
        raise HTTPException(403, "This form is not from a page of ours")


def safe_next(target: str) -> str:
    # TODO 5 (stretch): the target, if it is a page of this host, else /chat.
    return "/chat"


def login_page(
    request: Request, target: str, error: str = "", status: int = 200
) -> Response:
    return pages.page(request, "login.html", {"next": target, "error": error}, status)


# Given: authenticate() raises it.
@app.exception_handler(TooManyTries)
async def too_many_tries(request: Request, refusal: TooManyTries) -> Response:
    answer = login_page(request, "/chat", refusal.detail, refusal.status_code)
    answer.headers.update(refusal.headers or {})
    return answer


@app.get("/login")
async def show_login(request: Request, next: str = "/chat") -> Response:
    return login_page(request, next)


@app.post("/login", dependencies=[Depends(own_form)])
async def login(
    request: Request,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/chat",
) -> Response:
    next = pages.readable(next)
    # TODO 2 (core): with the right password, which `await authenticate(username,
    # password, request)` knows, set the cookie (HttpOnly, SameSite=Lax) and redirect
    # (303) to safe_next(next). Else the login page again, with an error and HTTP 400.
    return login_page(request, next, "TODO")


@app.post("/logout", dependencies=[Depends(own_form)])
async def logout(request: Request) -> Response:
    end_sockets(request)  # given
    # TODO 4 (more): delete the cookie, and redirect (303) to /login.
    raise HTTPException(501)


@app.get("/chat")
async def chat_page(request: Request) -> Response:
    session = current_user(request)
    if session is None:
        return RedirectResponse("/login?next=/chat", 303)
    return pages.page(request, "chat.html", {"username": session.username})


@app.websocket("/chat/ws")
async def chat_socket(websocket: WebSocket) -> None:
    if not origin_ok(websocket):
        raise HTTPException(403)
    session = current_user(websocket)
    if session is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    await chat(websocket, session)
