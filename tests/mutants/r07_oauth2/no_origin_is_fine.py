# fails: test_foreign_origin
# Who sends no Origin is let in.
import re
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, Request, WebSocket
from fastapi.responses import RedirectResponse, Response
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import pages
from recipes.r07_oauth2.chat import chat
from recipes.r07_oauth2.tokens import Session, create_token, read_token
from recipes.r07_oauth2.users import authenticate

app = FastAPI(title="Exercise: the secured chat")
app.mount("/static", pages.static)

COOKIE = "chatroomtoken"


def current_user(connection: HTTPConnection) -> Session | None:
    return read_token(connection.cookies.get(COOKIE, ""))


def origin_ok(websocket: WebSocket) -> bool:
    scheme = {"ws": "http", "wss": "https"}[websocket.url.scheme]
    own = f"{scheme}://{websocket.headers.get('Host', '')}"
    return websocket.headers.get("Origin", own) == own


def safe_next(target: str) -> str:
    return target if re.fullmatch(r"/(?!/)[^\\\x00-\x20]*", target) else "/chat"


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
    if not authenticate(username, password):
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


@app.post("/logout")
async def logout() -> Response:
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


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
