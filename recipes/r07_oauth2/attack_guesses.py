"""Guessing a password: many at once, and then the right one.

    python -m recipes.r07_oauth2.attack_guesses [host:port]

It guesses 20 times at once for johndoe, then tries his real password, then janedoe's.
"""

import asyncio
import sys
from collections import Counter

import httpx


async def guess(client: httpx.AsyncClient, username: str, password: str) -> str:
    form = {"username": username, "password": password}
    answer = await client.post("/token", data=form)
    wait = answer.headers.get("Retry-After")
    return f"HTTP {answer.status_code}" + (" with Retry-After" if wait else "")


async def attack(address: str) -> None:
    url = f"http://{address}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        guesses = (guess(client, "johndoe", f"secret{n}") for n in range(20))
        for answer, times in sorted(Counter(await asyncio.gather(*guesses)).items()):
            print(f"{times} guesses: {answer}")
        print("johndoe, right:", await guess(client, "johndoe", "secret"))
        print("janedoe, right:", await guess(client, "janedoe", "secret2"))


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(attack(address))
    except (OSError, httpx.HTTPError) as error:
        sys.exit(f"No attack: {error}. Is the server running?")
