"""Who there is. Of a password only its Argon2 hash is kept."""

from pwdlib import PasswordHash

password_hash = PasswordHash.recommended()

USERS = {
    # "secret" and "secret2"
    "johndoe": "$argon2id$v=19$m=65536,t=3,p=4$hbXMzGlx6fSzpeeejG4VrQ"
    "$vrcbFg+tfmtyZeXLVS6IrT6hq2pgBDCxaeRgQ83PznI",
    "janedoe": "$argon2id$v=19$m=65536,t=3,p=4$Pdlx3aHG21R2I2QuOQJJxw"
    "$TijAdhdU9EH6vGv2BUlOZ5dtR6wQZRE9E/SLYsz79Pc",
}
# What an unknown name's password is checked against: it takes as long as a known one's.
NOBODYS = (
    "$argon2id$v=19$m=65536,t=3,p=4$lBcnu/E4X0kXKfTTalKaxQ"
    "$XuPYcksKN5ISANFnHaTlzF01hN5LkTEHt+LoW+lQrX8"
)


def authenticate(username: str, password: str) -> bool:
    """Whether this is the user's password. Takes 0.1 s, so not in an `async def`."""
    known = username in USERS
    matches = password_hash.verify(password, USERS.get(username, NOBODYS))
    return known and matches
