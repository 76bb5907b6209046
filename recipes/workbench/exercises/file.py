"""The exercise's file, as the page's editor reads and writes it.

The file is the truth. An editor says on which text its own is based, and where the file
is another by now nothing is written. May be called from any thread.
"""

import contextlib
import difflib
import hashlib
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recipes.workbench import catalog
from recipes.workbench.desk import News

# Bytes of an exercise; the bound of what is graded, too.
MOST_BYTES = 2**20
# One save looks and writes at a time, whichever page it comes from.
SAVING = threading.Lock()


@dataclass
class Source(News):
    """What the file holds, with \\n as the end of a line, and the hash of its bytes.

    `hash` is empty if there is no file. With `trouble`, which says why the page cannot
    edit it, the text is empty.
    """

    text: str
    hash: str
    trouble: str = ""
    tell: Literal["source"] = "source"


@dataclass
class Saved(News):
    """What became of a save: `changed` if the file is not what it was based on.

    `hash` is that of the file now, and `sentence` says why nothing was written.
    """

    outcome: Literal["saved", "changed", "refused"]
    hash: str = ""
    sentence: str = ""
    tell: Literal["written"] = "written"


def read(recipe: str) -> Source:
    """The exercise as its file holds it."""
    file = catalog.exercise(recipe)
    try:
        if trouble := not_ours(file):
            return Source("", "", trouble)
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            return Source("", hash_of(data), f"{file.name} is over 1 MiB.")
        text = data.decode()
    except FileNotFoundError:
        return Source("", "")
    except UnicodeDecodeError:
        return Source("", hash_of(data), f"{file.name} is not UTF-8.")
    except OSError as error:
        return Source("", "", f"{file.name} cannot be read: {error.strerror}.")
    return Source(text.replace("\r\n", "\n").replace("\r", "\n"), hash_of(data))


def save(recipe: str, text: str, base: str) -> Saved:
    """Write the exercise, if the file still is the one that the text is based on.

    Args:
        recipe: whose exercise; its `exercise.py` alone is ever written.
        text: what the file shall hold, with \\n as the end of a line.
        base: the hash of the file when it was read last; empty if there was none.
    """
    file = catalog.exercise(recipe)
    data = text.encode()
    if len(data) > MOST_BYTES:
        return Saved("refused", sentence="Not saved: it is over 1 MiB.")
    try:
        with SAVING:
            if trouble := not_ours(file):
                return Saved("refused", sentence=f"Not saved: {trouble}")
            before = file.read_bytes() if file.exists() else None
            now = "" if before is None else hash_of(before)
            if now != base:
                return Saved("changed", now, "Not saved: the file has changed.")
            if before is not None and b"\r\n" in before:
                data = data.replace(b"\n", b"\r\n")
            replace(file, data)
    except OSError as error:
        return Saved("refused", sentence=f"Not saved: {error.strerror}.")
    return Saved("saved", hash_of(data))


def not_ours(file: Path) -> str:
    """Why the page does not touch a file; empty if it does."""
    if file.is_symlink():
        return f"{file.name} is a link: edit the file where it leads."
    if file.exists() and not file.is_file():
        return f"{file.name} is no file."
    return ""


def replace(file: Path, data: bytes) -> None:
    """Write a file as a whole or not at all: it may be run, or judged, meanwhile."""
    # A name that is no source file: who waits for saves does not hear of it.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.stem}-")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(file, new)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def beside(recipe: str) -> list[tuple[str, str]]:
    """The exercise beside the reference, as (sign, line) of a unified diff.

    The sign is `-` for a line that only the exercise has, `+` for one of the reference,
    `@` where lines that are equal are left out, and a space for the others.
    """
    mine = read(recipe).text.splitlines()
    theirs = catalog.solution(recipe).read_text(encoding="utf-8").splitlines()
    lines = list(difflib.unified_diff(mine, theirs, lineterm=""))[2:]
    return [(line[:1], "" if line[:1] == "@" else line[1:]) for line in lines]
