"""Take the answers of a class: bytes of files, and nothing else of what lies there.

    CLASS_DIR/<name>/<recipe>/exercise.py           the layout of solutions/
    CLASS_DIR/<name>/recipes/<recipe>/exercise.py   a whole copy of the workbook
    CLASS_DIR/<name>/anything.zip, CLASS_DIR/<name>.zip

No link is followed, or an answer could be any file of the machine; nothing is extracted
or run; and what is no regular file is not waited for.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from recipes.workbench.grading import zips
from recipes.workbench.refusal import Refusal

EXERCISE = "exercise.py"
# Bytes of an answer.
LARGEST = 2**20
# What is looked at in a folder of somebody's.
MOST_FILES = 10_000
# Not on Windows, which has neither.
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)
BINARY = getattr(os, "O_BINARY", 0)


class Answer(NamedTuple):
    """Somebody's answer; without `data` there is none, and `trouble` says why."""

    name: str
    recipe: str
    data: bytes | None
    trouble: str = ""


def take(folder: Path, recipes: Sequence[str]) -> list[Answer]:
    """The answers of a class, by name, and of each name in the order of the recipes.

    Raises Refusal: there is no such folder, or nobody in it, or it is one's alone.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise Refusal(f"{folder} cannot be read: {error.strerror}.") from None
    people = [e for e in found if not e.name.startswith((".", "__MACOSX"))]
    if alone := [e.name for e in people if e.name in {*recipes, "recipes"}]:
        raise Refusal(
            f"{folder} holds {alone[0]}: that is the answer of one person. A class is "
            "a folder with a folder for each name."
        )
    answers: list[Answer] = []
    for entry in people:
        place = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            answers += of_one(entry.name, place, recipes)
        elif entry.name.lower().endswith(".zip"):
            name = entry.name[:-4]
            if any(other.name == name for other in people):
                name = entry.name
            answers += of_zips(name, [place], recipes)
        elif entry.is_symlink():
            why = f"{entry.name} is a link, and links are not followed."
            answers += [Answer(entry.name, recipe, None, why) for recipe in recipes]
    if not answers:
        raise Refusal(f"In {folder} is no folder and no zip file of anybody.")
    return answers


def of_one(name: str, folder: Path, recipes: Sequence[str]) -> list[Answer]:
    """The answers in the folder of one person."""
    answers = []
    for recipe in recipes:
        answer = Answer(name, recipe, None, f"There is no {recipe}/{EXERCISE}.")
        for parts in ((recipe, EXERCISE), ("recipes", recipe, EXERCISE)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                try:
                    answer = Answer(name, recipe, read(folder, parts))
                except Refusal as refusal:
                    answer = answer._replace(trouble=str(refusal))
                break
        answers.append(answer)
    if any(answer.data is not None for answer in answers):
        return answers
    found = of_zips(name, list(zips_in(folder)), recipes)
    return [
        zipped
        if zipped.data is not None or not zipped.trouble.startswith("There")
        else a
        for zipped, a in zip(found, answers, strict=True)
    ]


def zips_in(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = [e.name for e in islice(entries, MOST_FILES)]
    for name in sorted(names):
        if name.lower().endswith(".zip"):
            yield folder / name


def of_zips(name: str, files: list[Path], recipes: Sequence[str]) -> list[Answer]:
    """The answers in somebody's zip files; the first that holds one counts."""
    answers = {
        r: Answer(name, r, None, f"There is no {r}/{EXERCISE}.") for r in recipes
    }
    for file in files:
        try:
            with opened(file.parent, (file.name,)) as number:
                found = zips.read(number, recipes, EXERCISE, LARGEST)
        except (Refusal, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            found = dict.fromkeys(recipes, f"{file.name}: {why}")
        for recipe, data in found.items():
            if answers[recipe].data is None and isinstance(data, str):
                answers[recipe] = Answer(name, recipe, None, data)
            elif answers[recipe].data is None:
                assert isinstance(data, bytes)
                answers[recipe] = Answer(name, recipe, data)
    return list(answers.values())


def read(folder: Path, parts: Sequence[str]) -> bytes:
    """A regular file below a folder, and no link on the way to it.

    Raises:
        Refusal: it is something else, or too large.
        OSError: it is not there.
    """
    with opened(folder, parts) as number, os.fdopen(os.dup(number), "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Refusal(f"{parts[-1]} is larger than {LARGEST:,} bytes.")
    return data


@contextlib.contextmanager
def opened(folder: Path, parts: Sequence[str]) -> Iterator[int]:
    """A regular file as a descriptor; raises what `read` does."""
    with contextlib.ExitStack() as stack:
        number = None
        if os.open in os.supports_dir_fd:
            # From folder to folder, so that none can be put in place of another.
            flags = os.O_RDONLY | os.O_DIRECTORY | NOFOLLOW
            number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, number)
            for part in parts[:-1]:
                if is_link(os.stat(part, dir_fd=number, follow_symlinks=False)):
                    raise Refusal(f"{part} is a link, and links are not followed.")
                number = os.open(part, flags, dir_fd=number)
                stack.callback(os.close, number)
            place: str | Path = parts[-1]
        else:
            place = folder
            for part in parts[:-1]:
                place = place / part
                if place.is_symlink():
                    raise Refusal(f"{part} is a link, and links are not followed.")
            place = place / parts[-1]
        state = os.stat(place, dir_fd=number, follow_symlinks=False)
        if is_link(state):
            raise Refusal(f"{parts[-1]} is a link, and links are not followed.")
        try:
            flags = os.O_RDONLY | NOFOLLOW | NONBLOCK | BINARY
            file = os.open(place, flags, dir_fd=number)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Refusal(f"{parts[-1]} cannot be read: {error.strerror}.") from None
        stack.callback(os.close, file)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Refusal(f"{parts[-1]} is no regular file.")
        yield file


def is_link(state: os.stat_result) -> bool:
    return stat.S_ISLNK(state.st_mode)
