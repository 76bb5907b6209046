"""Stays beyond the life of a token: opens the next connection before the last ends."""

import asyncio
import sys

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException


async def enter(address: str) -> ClientConnection:
    """Log in, and connect with the new token."""
    async with httpx.AsyncClient(trust_env=False) as client:
        form = {"username": "johndoe", "password": "secret"}
        answer = await client.post(f"http://{address}/token", data=form)
    answer.raise_for_status()
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    url = f"ws://{address}/secured-ws"
    return await connect(url, additional_headers=headers, proxy=None)


async def main(address: str) -> None:
    websocket = await enter(address)
    for turn in range(1, 4):
        print(f"Connection {turn}:", await websocket.recv())
        # Half of a token's life, here one of two seconds. What comes is read meanwhile.
        try:
            async with asyncio.timeout(1):
                print(await websocket.recv())
        except TimeoutError:
            pass
        following = await enter(address)
        await websocket.close()
        print(f"   left with {websocket.close_code}, and the next one is open")
        websocket = following
    await websocket.close()


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, httpx.HTTPError, WebSocketException) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
