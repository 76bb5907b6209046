"""Fake tokens. This is NO SECURITY AT ALL: who knows a name can make its token."""

from typing import Annotated

from fastapi import Depends, HTTPException

from recipes.r07_oauth2.users import USERS
from recipes.r07_oauth2.ws_password_bearer import OAuth2WebSocketPasswordBearer

oauth2_scheme_for_ws = OAuth2WebSocketPasswordBearer()


def fake_token_generator(username: str) -> str:
    return f"tokenized{username}"


def fake_token_resolver(token: str) -> str | None:
    """The username that a token was made of; None if it is nobody's."""
    username = token.removeprefix("tokenized")
    return username if username != token and username in USERS else None


async def get_username_from_token(
    token: Annotated[str, Depends(oauth2_scheme_for_ws)],
) -> str:
    username = fake_token_resolver(token)
    if username is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return username
