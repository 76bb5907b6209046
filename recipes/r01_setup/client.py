"""The smallest client: connect, print each message, print how it closed."""

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def main(address: str) -> None:
    # proxy=None: a proxy that is set for the web must not stand in between.
    async with connect(f"ws://{address}/ws", proxy=None) as websocket:
        # Most codes end the loop with an error. We print them all.
        with suppress(ConnectionClosed):
            async for message in websocket:
                print(message)
    print(f"Closed with code {websocket.close_code}")


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No connection: {error}. Is this recipe's server running?")
