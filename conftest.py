"""pytest's options: whose answers are judged."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("workbook")
    group.addoption(
        "--submission",
        metavar="DIR",
        help="judge the answers in DIR/<recipe>/exercise.py: only the tasks run, "
        "against a real server; write it with the equals sign, --submission=DIR",
    )
    group.addoption(
        "--mine",
        action="store_true",
        help="judge your own work: short for --submission=recipes",
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("submission")
    if config.getoption("mine"):
        if folder:
            raise pytest.UsageError("Give --mine or --submission DIR, not both.")
        config.option.submission = str(ROOT / "recipes")
    elif folder and not Path(folder).is_dir():
        raise pytest.UsageError(
            f"--submission={folder}: there is no such folder. It holds a folder for "
            "each recipe, as solutions/ does: DIR/r01_setup/exercise.py."
        )
    elif "--submission" in config.invocation_params.args:
        raise pytest.UsageError(
            f"Write --submission={folder}, with the equals sign: without it pytest "
            "takes the folder for a place of tests and runs a conftest.py in it."
        )


def pytest_report_header(config: pytest.Config) -> str:
    folder = config.getoption("submission")
    if folder:
        return f"Judging {folder}"
    if (ROOT / "solutions").is_dir():
        return "Judging solutions/ (reference). Yours: pytest --mine"
    return "No solutions/ here, so no task is judged. Yours: pytest --mine"
