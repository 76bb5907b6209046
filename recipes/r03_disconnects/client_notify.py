"""Two who listen, and a POST that tells them. No asyncio: a client may do without."""

import sys

import httpx
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect


def main(address: str) -> None:
    with (
        connect(f"ws://{address}/ws", proxy=None) as ada,
        connect(f"ws://{address}/ws", proxy=None) as ben,
    ):
        for path in ("/tell", "/tell-from-a-thread"):
            answer = httpx.post(
                f"http://{address}{path}", json={"text": "Tea!"}, trust_env=False
            )
            print(answer.json(), ada.recv(timeout=5), ben.recv(timeout=5))


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        main(address)
    except (OSError, InvalidHandshake) as error:
        sys.exit(f"No connection: {error}. Is this recipe's notify running?")
