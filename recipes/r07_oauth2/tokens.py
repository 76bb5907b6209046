"""Signed tokens that expire (JWT, RFC 7519), and tickets for browsers."""

import os
import secrets
import sys
import time
from typing import NamedTuple

import jwt

from recipes.r07_oauth2.users import USERS

# With none set, tokens end with the process. Several workers need the same secret.
JWT_SECRET = os.environ.get("JWT_SECRET") or secrets.token_hex(32)
TOKEN_SECONDS = float(os.environ.get("TOKEN_SECONDS") or 1800)
TICKET_SECONDS = float(os.environ.get("TICKET_SECONDS") or 30)
ALGORITHM = "HS256"
AUDIENCE = "recipes.r07_oauth2"

# A key for HS256 is as long as the hash at least (RFC 7518 §3.2).
if len(JWT_SECRET.encode()) < 32:
    sys.exit("JWT_SECRET is too short: it must have 32 bytes or more.")


class Session(NamedTuple):
    """Who was let in, and until when (seconds since 1970, UTC)."""

    username: str
    expires: float


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
    except (jwt.InvalidTokenError, TypeError, ValueError, RecursionError):
        return None
    if session.username not in USERS or session.expires <= time.time():
        return None
    return session


# A ticket stands for a session: once, and not for long, since logs hold addresses.
_tickets: dict[str, tuple[Session, float]] = {}


def create_ticket(session: Session) -> str:
    """A ticket for `?ticket=`, good once within TICKET_SECONDS."""
    now = time.monotonic()
    for ticket, (_, late) in list(_tickets.items()):
        if late <= now:
            del _tickets[ticket]
    ticket = secrets.token_urlsafe(32)
    _tickets[ticket] = session, now + TICKET_SECONDS
    return ticket


def redeem_ticket(ticket: str) -> Session | None:
    """The session that a ticket stands for; None if it is used, late or unknown."""
    session, late = _tickets.pop(ticket, (None, 0.0))
    if session is None or late <= time.monotonic() or session.expires <= time.time():
        return None
    return session if session.username in USERS else None
