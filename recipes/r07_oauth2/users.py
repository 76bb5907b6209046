"""Who there is. Of a password only its Argon2 hash is kept."""

import asyncio

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pwdlib import PasswordHash

from recipes.r07_oauth2 import tries

password_hash = PasswordHash.recommended()

# Made with the least that OWASP's Password Storage Cheat Sheet asks of Argon2id (19 MiB
# of memory, 2 passes). A hash carries its parameters; password_hash.hash() takes more.
USERS = {
    # "secret" and "secret2"
    "johndoe": "$argon2id$v=19$m=19456,t=2,p=1$I0k5WZmRYYXMxVinxcD2HQ"
    "$XkZpuzmrFBeQQn9R2EPW8r9Dr/TTQpZgrSINY4GOQJU",
    "janedoe": "$argon2id$v=19$m=19456,t=2,p=1$ObGP98mRlhie1Ik7USuB6Q"
    "$DvdDWO8BpNw+BFdcnafAkE6XNjOEQAirLN9OCbXHF0c",
}
# What an unknown name's password is checked against: it takes as long as a known one's.
NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$zjSL0rXTiG/vqjSWh0R2YA"
    "$wK2br4ayGftbirF2ZERgCrIazX3gS/eW5pC84nlJjkY"
)
# Each takes memory and a core, by design. More at a time would not be done sooner.
hashing = asyncio.Semaphore(2)


async def authenticate(username: str, password: str, request: Request) -> bool:
    """Whether this is the user's password.

    Raises:
        TooManyTries: too many were wrong, for this name from this address.
    """
    key = tries.key_of(username, request)
    tries.check(key)
    async with hashing:
        tries.check(key)  # others may have guessed meanwhile
        # Counted before the check: who guesses many at once is not ahead of the count.
        tries.count(key, 1)
        matches = await run_in_threadpool(verify, username, password)
    if matches:
        tries.count(key, -1)
    return matches


def verify(username: str, password: str) -> bool:
    """It is slow, so not for an `async def`: nobody else would be served meanwhile."""
    # A form in UTF-7 may hold what is no text in UTF-8; it is just a wrong password.
    typed = password.encode(errors="surrogatepass")
    matches = password_hash.verify(typed, USERS.get(username, NOBODYS))
    return username in USERS and matches
