"""A chat behind a login, for browsers: their cookie opens the socket.

One function finds the user for pages and sockets alike; it reads the cookie from what
both are, an HTTPConnection. The cookie is HttpOnly, so that no script can read it, and
SameSite=Lax, so that no other site can post with it. That is no protection for sockets:
a page on another port of this host is the same site. So the whole `Origin` is compared
with our own, for sockets before the cookie is looked at, and for the forms too: a
foreign page could log its visitor in as somebody else. Behind a proxy that ends TLS the
own address may not be known here; that is what ALLOWED_ORIGINS is for.

A local target begins with one slash. Two slashes name another host, browsers read a
backslash as a slash, and they drop tabs and newlines before they look.

The token of a deleted cookie is good until it expires; to end it before, the server has
to remember something. It knows the sockets that came in with it, so those end.

Another way: `Annotated[str | None, Cookie()]` in a dependency; sessions that the server
remembers, so that a logout ends them for every copy of the cookie.
"""

import os
import re
import sys
from typing import Annotated

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
    scheme = "https" if connection.url.scheme in {"https", "wss"} else "http"
    own = f"{scheme}://{connection.headers.get('Host', '')}"
    allowed = {own, *(each.strip() for each in ALLOWED_ORIGINS.split(","))} - {""}
    return connection.headers.get("Origin") in allowed


def own_form(request: Request) -> None:
    if "Origin" in request.headers and not origin_ok(request):
        raise HTTPException(403, "This form is not from a page of ours")


def safe_next(target: str) -> str:
    return target if re.fullmatch(r"/(?!/)[^\\\x00-\x20]*", target) else "/chat"


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
