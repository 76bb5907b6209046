"""A plugin that tells how the judging goes: the side of `judge.py` inside of pytest.

Given to pytest with `-p`, it writes lines of JSON on the standard output that pytest
was started with:

    {"event": "begun", "name": "test_says"}
    {"event": "done", "name": "test_says", "failure": ""}   empty: it passed

When the pipe on its standard input closes, it ends pytest at once, and the servers of
the tests end as their pipes close: nothing outlives whoever started it.
"""

import gc
import json
import os
import threading

import pytest

# This module is imported before pytest captures what is printed. From here on that goes
# to standard error, so that it cannot mix with the reports. And nobody else may look at
# the pipe that the thread below reads: on Windows they would wait until it is closed.
_in, _out = os.dup(0), os.dup(1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)


def _follow_parent() -> None:
    while os.read(_in, 64):
        pass
    os._exit(1)


threading.Thread(target=_follow_parent, daemon=True).start()

_failures: dict[str, str] = {}


def _tell(event: str, nodeid: str, **values: str) -> None:
    report = {"event": event, "name": nodeid.rpartition("::")[2]} | values
    line = json.dumps(report).encode() + b"\n"
    while line:
        line = line[os.write(_out, line) :]


def pytest_runtest_logstart(nodeid: str) -> None:
    _tell("begun", nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the first failure of a test, and tell it when the test is torn down."""
    if not report.passed:
        _failures.setdefault(report.nodeid, str(report.longrepr) or report.outcome)
    if report.when == "teardown":
        _tell("done", report.nodeid, failure=_failures.get(report.nodeid, ""))


def pytest_unconfigure() -> None:
    # Nobody needs the memory back: it saves looking for what nobody refers to.
    gc.freeze()
