"""The token is read with PyJWT itself, cookies are written as headers."""

import os
import sys
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Form, HTTPException, Request, WebSocket
from fastapi.responses import RedirectResponse, Response
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import pages, tokens
from recipes.r07_oauth2.chat import COOKIE, chat, end_sockets
from recipes.r07_oauth2.tokens import ALGORITHM, AUDIENCE, Session, create_token
from recipes.r07_oauth2.tries import TooManyTries
from recipes.r07_oauth2.users import authenticate

if problem := tokens.secret_problem():
    sys.exit(problem)

app = FastAPI(title="Exercise: the secured chat")
app.mount("/static", pages.static)

# Origins that are ours beside our own address, as https://chat.example, with commas.
ALLOWED_ORIGINS = os.environ.get("ALLOWED_ORIGINS", "")


def current_user(connection: HTTPConnection) -> Session | None:
    try:
        claims = jwt.decode(
            connection.cookies.get(COOKIE, ""),
            tokens.JWT_SECRET,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
        )
    except jwt.InvalidTokenError:
        return None
    return Session(claims["sub"], claims["exp"])


def origin_ok(connection: HTTPConnection) -> bool:
    if not (origin := connection.headers.get("Origin")):
        return False
    own = str(connection.base_url.replace(path="")).replace("ws", "http", 1)
    return origin == own or origin in ALLOWED_ORIGINS.replace(" ", "").split(",")


def own_form(request: Request) -> None:
    if "Origin" in request.headers and not origin_ok(request):
        raise HTTPException(403, "This form is not from a page of ours")


def safe_next(target: str) -> str:
    if target.startswith("/") and not target.startswith(("//", "/\\")):
        return target if target.isprintable() else "/chat"
    return "/chat"


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
    cookie = f"{COOKIE}={create_token(username)}; HttpOnly; Path=/; SameSite=Lax"
    headers = {"Location": safe_next(next), "Set-Cookie": cookie}
    return Response(status_code=303, headers=headers)


@app.post("/logout", dependencies=[Depends(own_form)])
async def logout(request: Request) -> Response:
    end_sockets(request)
    over = f"{COOKIE}=; Max-Age=0; Path=/"
    return RedirectResponse("/login", 303, headers={"Set-Cookie": over})


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
