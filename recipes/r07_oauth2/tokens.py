"""Signed tokens that expire (JWT, RFC 7519)."""

import os
import secrets
import time
from typing import NamedTuple

import jwt

from recipes.r07_oauth2.users import USERS

# With none set, tokens end with the process. Several workers need the same secret.
JWT_SECRET = os.environ.get("JWT_SECRET") or secrets.token_hex(32)
TOKEN_SECONDS = float(os.environ.get("TOKEN_SECONDS") or 1800)
ALGORITHM = "HS256"
AUDIENCE = "recipes.r07_oauth2"
YEAR_10000 = 253_402_300_800.0


class Session(NamedTuple):
    """Who was let in, and until when (seconds since 1970, UTC)."""

    username: str
    expires: float


def secret_problem() -> str | None:
    """A sentence for who starts the server, if JWT_SECRET is no good."""
    # A key for HS256 is as long as the hash at least (RFC 7518 §3.2).
    if len(JWT_SECRET.encode()) < 32:
        return "JWT_SECRET is too short: it must have 32 bytes or more."
    return None


def create_token(username: str) -> str:
    now = time.time()
    claims = {"sub": username, "aud": AUDIENCE, "iat": now, "exp": now + TOKEN_SECONDS}
    return jwt.encode(claims, JWT_SECRET, ALGORITHM)


def read_token(token: str) -> Session | None:
    """Whom a token names; None if it is not valid, or not any more."""
    try:
        claims = jwt.decode(
            token,
            JWT_SECRET,
            algorithms=[ALGORITHM],  # pinned: what the token says of itself is no proof
            audience=AUDIENCE,
            # exp is checked below: the library would cut it to whole seconds.
            options={"require": ["sub", "aud", "iat", "exp"], "verify_exp": False},
        )
        session = Session(claims["sub"], float(claims["exp"]))
    except (
        *(jwt.InvalidTokenError, TypeError, ValueError, OverflowError),
        RecursionError,  # a header of thousands of brackets
    ):
        return None
    # NaN is neither before nor after anything: ask for what is right, not for wrong.
    if session.username in USERS and time.time() < session.expires < YEAR_10000:
        return session
    return None
