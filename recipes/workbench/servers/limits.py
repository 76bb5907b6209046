"""Limits that a server sets itself before it loads an app that nobody trusts.

The grader tells them in the environment, as JSON with the names of `resource`:

    WORKBOOK_LIMITS={"AS": 2147483648, "CPU": 90}   bytes of memory, seconds of CPU

A process cannot take a limit of its own back, and hands it on to all that it starts.
"""

import contextlib
import json
import os
import sys

VARIABLE = "WORKBOOK_LIMITS"


def set_limits() -> None:
    """Set what the environment tells, once; a limit that is lower already stays."""
    told = os.environ.pop(VARIABLE, "")
    if not told or sys.platform == "win32":
        return
    import resource

    for name, wanted in json.loads(told).items():
        number = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(number)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        # macOS knows some of them and refuses to set them.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(number, (most, most))


def told(limits: dict[str, int]) -> str:
    """The limits as the environment tells them."""
    return json.dumps(limits)
