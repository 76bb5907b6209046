"""A stranger knocks without a token and with one made by hand; then a user logs in."""

import asyncio
import sys

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException


async def knock(address: str, who: str, token: str | None = None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"ws://{address}/secured-ws?username=johndoe"
    try:
        async with connect(url, additional_headers=headers, proxy=None) as websocket:
            print(f"{who}:", await websocket.recv())
            await websocket.send("Hello!")
            print("  ", await websocket.recv())
            async with asyncio.timeout(4):
                await websocket.recv()  # nothing comes, unless the token expires
    except InvalidStatus as refusal:
        challenge = refusal.response.headers.get("WWW-Authenticate")
        print(f"{who}: refused with HTTP {refusal.response.status_code}, {challenge}")
    except ConnectionClosed:
        print(f"   closed with {websocket.close_code} {websocket.close_reason!r}")
    except TimeoutError:
        print("   stays as long as it likes")


async def main(address: str) -> None:
    await knock(address, "A stranger")
    await knock(address, "A stranger with a token made by hand", "tokenizedjohndoe")
    async with httpx.AsyncClient(trust_env=False) as client:
        form = {"username": "johndoe", "password": "secret"}
        answer = await client.post(f"http://{address}/token", data=form)
    if answer.status_code == 200:
        await knock(address, "johndoe, logged in", answer.json()["access_token"])


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, httpx.HTTPError, WebSocketException) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
