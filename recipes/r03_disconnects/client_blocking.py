"""How long somebody else waits for an answer while a handler works."""

import asyncio
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


async def main(address: str) -> None:
    for path in ("/blocking", "/in-a-thread"):
        async with (
            connect(f"ws://{address}{path}", proxy=None) as busy,
            connect(f"ws://{address}/echo", proxy=None) as neighbour,
        ):
            await busy.send("Please work")
            await busy.recv()  # "working"
            asked = time.monotonic()
            await neighbour.send("Hello!")
            await neighbour.recv()
            print(f"{path}: the neighbour waited {time.monotonic() - asked:.0f} s")
            await busy.recv()  # "done"


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(main(address))
    except (OSError, WebSocketException) as error:
        sys.exit(f"No connection: {error}. Is demo_blocking running?")
