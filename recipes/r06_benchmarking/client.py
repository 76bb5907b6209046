"""Ten messages to a room, for two listeners: one by one, and in batches."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

BATCHES = Subprotocol("chat.batch.v1")


async def main(address: str = "127.0.0.1:8000") -> None:
    room = f"ws://{address}/chatroom"
    async with (
        connect(f"{room}/bob", proxy=None) as bob,
        connect(f"{room}/cy", proxy=None, subprotocols=[BATCHES]) as cy,
        connect(f"{room}/ada", proxy=None) as ada,
    ):
        await bob.recv(), await bob.recv(), await cy.recv()  # who joined
        for number in range(10):
            await ada.send(f"message {number}")
        frames = [json.loads(await bob.recv()) for _ in range(10)]
        print("bob got", len(frames), "frames, the last from", frames[-1]["sender"])
        messages: list[dict[str, str]] = []
        frames = []
        while len(messages) < 10:
            frames.append(json.loads(await cy.recv()))
            messages += frames[-1]
        few = "fewer" if len(frames) < 10 else "as many"
        print("cy got", len(messages), "messages in", few, "frames")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:2]))
    except (OSError, InvalidHandshake, ConnectionClosed) as error:
        sys.exit(f"No conversation: {error}. Is this recipe's server running?")
