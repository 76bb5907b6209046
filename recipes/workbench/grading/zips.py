"""Read answers out of a zip file that anybody may have made. Nothing is extracted."""

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from recipes.workbench.refusal import Refusal

MOST_ENTRIES = 100_000
# Bytes that are read at once: the list of what is in a file is, as a whole.
LONGEST_READ = 32 * 2**20
# Others may want gigabytes of memory to be unpacked.
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# The workbook's own answers and starters, in a zip file of a whole workbook.
NOT_THEIRS = {"solutions", "starters", "right_answers", "wrong_answers", "__MACOSX"}


class Bounded(io.FileIO):
    """A file that is never asked for very much at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = LONGEST_READ + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        if len(data) > LONGEST_READ:
            raise zipfile.BadZipFile("its list of files is too long")
        return data


def read(
    number: int, recipes: Sequence[str], name: str, largest: int
) -> dict[str, bytes | str]:
    """For each recipe that the file has an answer to, its bytes or what is wrong.

    Args:
        number: the descriptor of the file.
        name: the file name of an answer.
        largest: bytes of an answer.

    Raises Refusal: the file is no zip file, or one that is not to be read.
    """
    try:
        with (
            Bounded(os.dup(number), "rb") as file,
            zipfile.ZipFile(file) as archive,
        ):
            if len(archive.infolist()) > MOST_ENTRIES:
                raise Refusal(f"it holds more than {MOST_ENTRIES:,} files.")
            places = places_in(archive, recipes, name)
            return {
                recipe: content(archive, places[recipe], largest)
                for recipe in recipes
                if recipe in places
            }
    except (zipfile.BadZipFile, ValueError, OverflowError, EOFError) as error:
        raise Refusal(f"it is no sound zip file: {error}.") from None
    except (NotImplementedError, RuntimeError, zlib.error) as error:
        raise Refusal(f"it cannot be read: {error}.") from None


def places_in(
    archive: zipfile.ZipFile, recipes: Sequence[str], name: str
) -> dict[str, zipfile.ZipInfo]:
    """Where the answer to each recipe lies; of several, the one nearest to the top."""
    found: dict[str, tuple[int, str, zipfile.ZipInfo]] = {}
    for info in archive.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        parts = path.parts
        if path.is_absolute() or ".." in parts or NOT_THEIRS & {*parts}:
            continue
        if stat.S_ISLNK(info.external_attr >> 16) or parts[-1:] != (name,):
            continue
        recipe = parts[-2] if len(parts) > 1 else ""
        ranked = (len(parts), str(path), info)
        if recipe in recipes and (
            recipe not in found or ranked[:2] < found[recipe][:2]
        ):
            found[recipe] = ranked
    return {recipe: info for recipe, (_, _, info) in found.items()}


def content(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, largest: int
) -> bytes | str:
    """An answer's bytes, or a sentence why not."""
    if info.flag_bits & 1:
        return f"{info.filename} is encrypted."
    if info.compress_type not in METHODS:
        return f"{info.filename} is packed in a way that is not read here."
    try:
        with archive.open(info) as file:
            data = file.read(largest + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        return f"{info.filename} cannot be unpacked: {error}."
    if len(data) > largest:
        return f"{info.filename} is larger than {largest:,} bytes."
    return data
