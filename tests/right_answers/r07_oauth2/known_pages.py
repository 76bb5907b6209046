"""`next` is one of the app's own pages; the Origin is compared part by part."""

import os
import sys
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Form, HTTPException, Request, WebSocket
from fastapi.responses import RedirectResponse, Response
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import pages, tokens
from recipes.r07_oauth2.chat import COOKIE, chat, end_sockets
from recipes.r07_oauth2.tokens import Session, create_token, read_token
from recipes.r07_oauth2.tries import TooManyTries
from recipes.r07_oauth2.users import authenticate

if problem := tokens.secret_problem():
    sys.exit(problem)

app = FastAPI(title="Exercise: the secured chat")
app.mount("/static", pages.static)

# Origins that are ours beside our own address, as https://chat.example, with commas.
ALLOWED_ORIGINS = os.environ.get("ALLOWED_ORIGINS", "")


def current_user(connection: HTTPConnection) -> Session | None:
    return read_token(connection.cookies.get(COOKIE, ""))


def origin_ok(connection: HTTPConnection) -> bool:
    given = connection.headers.get("Origin", "")
    if given in map(str.strip, filter(None, ALLOWED_ORIGINS.split(","))):
        return given != ""
    secure = connection.url.scheme.endswith("s") and connection.url.scheme != "ws"
    parts = urlsplit(given)
    only = not (parts.path or parts.query or parts.fragment)
    return (
        only
        and parts.scheme == ("https" if secure else "http")
        and parts.netloc == connection.headers.get("Host")
    )


def own_form(request: Request) -> None:
    if "Origin" in request.headers and not origin_ok(request):
        raise HTTPException(403, "This form is not from a page of ours")


def safe_next(target: str) -> str:
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/chat"
    elsewhere = parts.scheme or parts.netloc or not target.startswith("/")
    return "/chat" if elsewhere or "//" in target[:2] or "///" in target else target


def login_page(
    request: Request, target: str, error: str = "", status: int = 200
) -> Response:
    return pages.page(request, "login.html", {"next": target, "error": error}, status)


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
    if not await authenticate(username, password, request):
        return login_page(request, next, "Incorrect username or password", 400)
    answer = RedirectResponse(safe_next(next), 303)
    answer.set_cookie(
        COOKIE,
        create_token(username),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@app.post("/logout", dependencies=[Depends(own_form)])
async def logout(request: Request) -> Response:
    end_sockets(request)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


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
