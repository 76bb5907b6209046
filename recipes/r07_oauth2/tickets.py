"""Tickets for browsers: each stands for a session, once and not for long."""

import os
import secrets
import time
from collections import defaultdict, deque

from recipes.r07_oauth2.tokens import Session
from recipes.r07_oauth2.users import USERS

TICKET_SECONDS = float(os.environ.get("TICKET_SECONDS") or 30)
# A user's tickets that may be good at a time; one more, and the oldest is void.
MOST_TICKETS = 100

# All live as long: the first is the oldest, and what comes behind a live one is live.
_tickets: dict[str, tuple[Session, float]] = {}
_latest: defaultdict[str, deque[str]] = defaultdict(deque)


def create_ticket(session: Session) -> str:
    """A ticket for `?ticket=`, good once within TICKET_SECONDS, in this process."""
    now = time.monotonic()
    while _tickets and next(iter(_tickets.values()))[1] <= now:
        del _tickets[next(iter(_tickets))]
    latest = _latest[session.username]
    if len(latest) >= MOST_TICKETS:
        _tickets.pop(latest.popleft(), None)
    ticket = secrets.token_urlsafe(32)
    latest.append(ticket)
    _tickets[ticket] = session, now + TICKET_SECONDS
    return ticket


def redeem_ticket(ticket: str) -> Session | None:
    """The session that a ticket stands for; None if it is used, late or unknown."""
    session, late = _tickets.pop(ticket, (None, 0.0))
    if session is None or late <= time.monotonic() or session.expires <= time.time():
        return None
    return session if session.username in USERS else None
