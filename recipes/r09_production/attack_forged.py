"""Claims to be somebody else: whom does the server see?

    python -m recipes.r09_production.attack_forged [host:port]

From 127.0.0.1, and on Linux from 127.0.0.2, too: that is the same machine, and yet
another address.
"""

import json
import socket
import sys

from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

CLAIMED = {"X-Forwarded-For": "6.6.6.6"}


def main(address: str = "127.0.0.1:8000") -> None:
    host, _, port = address.rpartition(":")
    for own in (
        ("127.0.0.1", "127.0.0.2") if sys.platform == "linux" else ("127.0.0.1",)
    ):
        line = socket.create_connection((host, int(port)), 5, source_address=(own, 0))
        with connect(
            f"ws://{address}/ws", sock=line, proxy=None, additional_headers=CLAIMED
        ) as websocket:
            seen = json.loads(websocket.recv(timeout=5))["client"]
        print(f"{own} claims to be 6.6.6.6: the server sees {seen}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No line: {error}. Is this recipe's server running?")
