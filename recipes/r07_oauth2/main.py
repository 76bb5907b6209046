"""Stage 3: signed tokens that expire, for HTTP and sockets alike."""

import time
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from starlette.requests import HTTPConnection

from recipes.r07_oauth2 import tokens
from recipes.r07_oauth2.conversation import converse
from recipes.r07_oauth2.tokens import Session
from recipes.r07_oauth2.users import authenticate

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
        return known(tokens.redeem_ticket(ticket))
    return await bearer(await oauth2_scheme(connection) or "")


@app.post("/token")
def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    if not authenticate(form.username, form.password):
        raise HTTPException(400, "Incorrect username or password")
    return {"access_token": tokens.create_token(form.username), "token_type": "bearer"}


@app.post("/ticket")
async def ticket(session: Annotated[Session, Depends(bearer)]) -> dict[str, str]:
    return {"ticket": tokens.create_ticket(session)}


@app.websocket("/secured-ws")
async def secured(
    websocket: WebSocket, session: Annotated[Session, Depends(bearer_or_ticket)]
) -> None:
    await converse(websocket, session.username, session.expires - time.time())
