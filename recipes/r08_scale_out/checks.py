"""Whether the address of a Redis is one, before anything starts."""

import contextlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

# Without the address in it: that may hold a password.
NO_URL = (
    "CHAT_BROKER is not the address of a Redis: write redis://host:port/db or "
    "redis://:password@host:port/db, or leave it unset for a chat in memory."
)


def check_url(url: str) -> str:
    """The address as it is. Ends the program with a sentence if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        end(NO_URL)
    database = parts.path.removeprefix("/")
    if url and (
        parts.scheme not in {"redis", "rediss"}
        or not parts.hostname
        or port == 0
        or not (database == "" or (database.isascii() and database.isdecimal()))
        or parts.query
        or parts.fragment
        or not url.isprintable()
        or " " in url
    ):
        end(NO_URL)
    return url


def end(sentence: str) -> NoReturn:
    """End the program, and the uvicorn that started it as one of its workers."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise SystemExit(sentence)
    # uvicorn starts a worker that ended again and again. One that ends with status 3 it
    # takes for hopeless and stops, but as if all were well, with status 0.
    print(sentence, file=sys.stderr, flush=True)
    program = Path(sys.argv[0]).parts[-2:]
    if any(part.startswith("uvicorn") for part in program) and parent.pid:
        with contextlib.suppress(OSError):
            os.kill(parent.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    sys.exit(3)
