"""pytest's options: whose answers are judged, and which tests run for that."""

import contextlib
import re
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.judging.targets import is_task, judging, recipe_of, tasks_of
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.launcher import launcher
from recipes.workbench.servers.starting import APPS, warm

pytest_plugins = [
    "recipes.workbench.judging.fixtures",
    "recipes.workbench.judging.telling",
]


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
        config.option.submission = str(catalog.RECIPES)
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

    # They are imported while the tests are collected.
    stack = contextlib.ExitStack()
    if launcher() is None:  # no two answers of a class share a process
        stack.enter_context(warm(APPS))
    config.add_cleanup(stack.close)


def pytest_report_header(config: pytest.Config) -> str:
    folder = config.getoption("submission")
    if folder:
        return f"Judging {folder}"
    if catalog.SOLUTIONS.is_dir():
        return "Judging solutions/ (reference). Yours: pytest --mine"
    return "No solutions/ here, so no task is judged. Yours: pytest --mine"


# Which tests run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `client` on both transports; judge a task once."""
    node = metafunc.definition
    if "client" in metafunc.fixturenames and not judging(metafunc.config):
        live_only = node.get_closest_marker("live") is not None
        transports = ["live"] if live_only else ["testclient", "live"]
        metafunc.parametrize("client", transports, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With answers to judge, only the recipes' suites hold something to run."""
    if judging(config) and collection_path.is_file():
        return not re.fullmatch(r"test_r\d\d_\w+\.py", collection_path.name)
    if catalog.STARTERS in collection_path.parents:
        return True  # what learners write tests from is no test
    return None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    try:
        check_tasks(items)
    except Refusal as refusal:
        raise pytest.UsageError(str(refusal)) from None
    if judging(config):
        left_out = [item for item in items if not is_task(item)]
    elif not catalog.SOLUTIONS.is_dir():
        left_out = [item for item in items if is_task(item)]
    else:
        left_out = []
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def check_tasks(items: list[pytest.Item]) -> None:
    """Raises Refusal: a task has no test, or one that is several."""
    tests = [item for item in items if isinstance(item, pytest.Function)]
    for path, item in {test.path: test for test in tests}.items():
        tasks = tasks_of(recipe_of(item))
        for task in tasks.task if tasks else []:
            if not callable(getattr(item.module, task.name, None)):
                raise Refusal(
                    f"{recipe_of(item)}/tasks.toml names {task.name}, but there is no "
                    f"such test in {path.name}."
                )
    for item in filter(is_task, tests):
        if hasattr(item, "callspec") and item.callspec.params.keys() - {"client"}:
            raise Refusal(
                f"{item.path.name}: {item.originalname} is a task, and has parameters; "
                "a task is one test."
            )
