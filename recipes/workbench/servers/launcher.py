"""How a server is started whose app nobody trusts: what the grader tells its tests."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

VARIABLE = "WORKBOOK_LAUNCHER"


class Launcher(NamedTuple):
    """An order to start servers elsewhere and otherwise than usual.

    Attributes:
        prefix: the command that runs Python, and puts it into an isolation of its own.
        python: the Python that it runs.
        folder: where that Python runs and imports from.
        environment: what it sees beside the settings of a test.
        user: the number of the user, and of the group, that it runs as; None: ours.
    """

    prefix: list[str]
    python: str
    folder: str
    environment: dict[str, str]
    user: int | None = None

    def told(self) -> dict[str, str]:
        """The order as an environment variable, for the process of the tests."""
        return {VARIABLE: json.dumps(self)}

    def within(self, file: Path) -> Path:
        """The file, or a copy of it that is seen from where servers run."""
        folder = Path(self.folder)
        if file.is_relative_to(folder) or not file.is_file():
            return file
        copies = Path(tempfile.mkdtemp(prefix="given", dir=folder))
        copies.chmod(0o755)
        return Path(shutil.copy(file, copies / file.name))


def launcher() -> Launcher | None:
    """The order that this process was given, if it was."""
    told = os.environ.get(VARIABLE)
    return Launcher(*json.loads(told)) if told else None
