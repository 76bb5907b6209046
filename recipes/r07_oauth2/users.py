"""Who there is. Of a password only its Argon2 hash is kept."""

from pwdlib import PasswordHash

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


def authenticate(username: str, password: str) -> bool:
    """Whether this is the user's password. It is slow, so not for an `async def`."""
    known = username in USERS
    # A form in UTF-7 may hold what is no text in UTF-8; it is just a wrong password.
    typed = password.encode(errors="surrogatepass")
    matches = password_hash.verify(typed, USERS.get(username, NOBODYS))
    return known and matches
