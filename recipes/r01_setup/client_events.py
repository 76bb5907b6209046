"""Read the server-sent events of `events`, line by line."""

import sys

import httpx


def main(address: str) -> None:
    url = f"http://{address}/events"
    with httpx.stream("GET", url, trust_env=False) as response:
        for line in response.iter_lines():
            print(line)


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        main(address)
    except httpx.TransportError as error:
        sys.exit(f"No connection: {error}. Is events running?")
