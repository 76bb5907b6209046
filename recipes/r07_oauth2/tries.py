"""How often somebody may guess: wrong passwords are counted by name and address."""

import math
import os
import time

from fastapi import HTTPException, Request

# So many wrong passwords in so many seconds, then none is looked at any more.
LOGIN_TRIES = int(os.environ.get("LOGIN_TRIES") or 5)
LOGIN_SECONDS = float(os.environ.get("LOGIN_SECONDS") or 60)

# A name that is longer than any is cut: who sends long ones fills no memory.
LONGEST_NAME = 64

# The app, the name and the address. Each app counts for itself, in its process.
Key = tuple[object, str, str]
# Since when (monotonic) each is counted, and how many; the oldest comes first.
_counts: dict[Key, tuple[float, int]] = {}


class TooManyTries(HTTPException):
    """HTTP 429 (RFC 6585 §4), which says in how many seconds to come back."""

    def __init__(self, seconds: float) -> None:
        wait = max(1, math.ceil(seconds))
        detail = f"Too many wrong passwords, try again in {wait} s"
        headers = {"Retry-After": str(wait), "Cache-Control": "no-store"}
        super().__init__(429, detail, headers)


def key_of(username: str, request: Request) -> Key:
    address = request.client.host if request.client else ""
    return request.app, username[:LONGEST_NAME], address


def check(key: Key) -> None:
    """Raise TooManyTries if this name has used up its tries from this address."""
    now = time.monotonic()
    while _counts and now - next(iter(_counts.values()))[0] >= LOGIN_SECONDS:
        del _counts[next(iter(_counts))]
    since, count = _counts.get(key, (now, 0))
    if count >= LOGIN_TRIES:
        raise TooManyTries(since + LOGIN_SECONDS - now)


def count(key: Key, one: int) -> None:
    """Count a wrong password (1), or take one back that turned out right (-1)."""
    since, before = _counts.get(key, (time.monotonic(), 0))
    if before + one > 0:
        _counts[key] = since, before + one
    else:
        _counts.pop(key, None)
