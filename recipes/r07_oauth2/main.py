"""Stage 3: signed tokens that expire, for HTTP and sockets alike."""

import sys
import time
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import tickets, tokens
from recipes.r07_oauth2.conversation import converse
from recipes.r07_oauth2.tokens import Session
from recipes.r07_oauth2.users import authenticate

if problem := tokens.secret_problem():
    sys.exit(problem)

app = FastAPI(title="Securing WebSockets with OAuth2")
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


def known(session: Session | None) -> Session:
    if session is None:
        raise HTTPException(
            401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"}
        )
    return session


async def bearer(token: Annotated[str, Depends(oauth2_scheme)]) -> Session:
    return known(tokens.read_token(token))


async def bearer_or_ticket(
    connection: HTTPConnection, ticket: str | None = None
) -> Session:
    if ticket is not None:
        return known(tickets.redeem_ticket(ticket))
    return await bearer(await oauth2_scheme(connection) or "")


@app.post("/token")
async def token(
    request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]
) -> JSONResponse:
    # RFC 6749 §5.1: nobody on the way keeps an answer with a token in it.
    no_store = {"Cache-Control": "no-store"}
    if not await authenticate(form.username, form.password, request):
        wrong = "Incorrect username or password"
        # `error` is what clients of OAuth2 read (RFC 6749 §5.2), `detail` FastAPI's.
        return JSONResponse({"error": "invalid_grant", "detail": wrong}, 400, no_store)
    made = tokens.create_token(form.username)
    answer = {"access_token": made, "token_type": "bearer"}
    return JSONResponse(answer, headers=no_store)


@app.post("/ticket")
async def ticket(session: Annotated[Session, Depends(bearer)]) -> dict[str, str]:
    return {"ticket": tickets.create_ticket(session)}


@app.websocket("/secured-ws")
async def secured(
    websocket: WebSocket, session: Annotated[Session, Depends(bearer_or_ticket)]
) -> None:
    await converse(websocket, session.username, session.expires - time.time())
