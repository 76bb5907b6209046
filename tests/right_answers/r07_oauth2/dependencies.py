"""Dependencies let in, on the page and the socket; the origin is taken apart."""

import os
import sys
from typing import Annotated
from urllib.parse import urljoin, urlsplit

from fastapi import Cookie, Depends, FastAPI, Form, HTTPException, Request, WebSocket
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


def current_user(
    token: Annotated[str | None, Cookie(alias=COOKIE)] = None,
) -> Session | None:
    return read_token(token) if token else None


CurrentUser = Annotated[Session | None, Depends(current_user)]
SECURE = {"http": False, "ws": False, "https": True, "wss": True}


def origin_ok(connection: HTTPConnection) -> bool:
    origin = connection.headers.get("Origin", "")
    if origin and origin in [each.strip() for each in ALLOWED_ORIGINS.split(",")]:
        return True
    scheme, found, host = origin.partition("://")
    if not found or scheme not in {"http", "https"}:
        return False
    same = SECURE[scheme] == SECURE[connection.url.scheme]
    return same and host == connection.headers.get("Host")


def own_form(request: Request) -> None:
    if "Origin" in request.headers and not origin_ok(request):
        raise HTTPException(403, "This form is not from a page of ours")


def safe_next(target: str) -> str:
    try:
        leads_to = urlsplit(urljoin("http://here/login", target.replace("\\", "/")))
    except ValueError:
        return "/chat"
    local = leads_to[:2] == ("http", "here") and leads_to.path[:2] != "//"
    return target if local and target[:1] == "/" and target[1:2] != "/" else "/chat"


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
async def chat_page(request: Request, session: CurrentUser) -> Response:
    if session is None:
        return RedirectResponse("/login?next=/chat", 303)
    return pages.page(request, "chat.html", {"username": session.username})


async def own_page(websocket: WebSocket) -> None:
    if not origin_ok(websocket):
        raise HTTPException(403)


@app.websocket("/chat/ws", dependencies=[Depends(own_page)])
async def chat_socket(websocket: WebSocket, session: CurrentUser) -> None:
    if session is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    await chat(websocket, session)
