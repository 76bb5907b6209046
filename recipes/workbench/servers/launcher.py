"""How a server is started whose app nobody trusts: what the grader tells its tests."""

import json
import os
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


def launcher() -> Launcher | None:
    """The order that this process was given, if it was."""
    told = os.environ.get(VARIABLE)
    return Launcher(*json.loads(told)) if told else None
