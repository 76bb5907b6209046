"""The fixture `client`: one server for each app that is tested, and a client of it."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from recipes.workbench import catalog
from recipes.workbench.judging.in_process import InProcessClient
from recipes.workbench.judging.live import LiveClient
from recipes.workbench.judging.live_session import Patience
from recipes.workbench.judging.redis_server import Missing
from recipes.workbench.judging.session import Client
from recipes.workbench.judging.targets import Target, judging, target_of
from recipes.workbench.servers.server import AppServer, Crash, StartError

# Seconds for one test against a real server; each wait in it has a bound of its own.
BOUND = float(os.environ.get("WORKBOOK_TEST_SECONDS") or 30)
# Why a test has no app to talk to.
BROKEN = pytest.StashKey[str]()


def values_of(settings: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """The settings' values; one that is a function is asked for it now."""
    return {key: value() if callable(value) else value for key, value in settings}


class Servers:
    """One server for each target, started when first needed, restarted if it died."""

    def __init__(self) -> None:
        self.started: dict[Target, AppServer] = {}
        self.patience = Patience()
        self.broken: dict[tuple[str, Path | None], str] = {}

    def start(self, target: Target) -> AppServer:
        """Start the target's server, and do not wait until it serves.

        Raises StartError if a setting cannot be had.
        """
        name, file, settings = target
        server = AppServer(
            name, file, values_of(settings), wait=False, judged=file is not None
        )
        self.started[target] = server
        return server

    def get(self, target: Target) -> AppServer:
        """The target's server. Raises StartError; a target gets one chance only."""
        name, file, _ = target
        if (sentence := self.broken.get((name, file))) is not None:
            raise StartError(sentence)
        try:
            server = self.started.get(target) or self.start(target)
            server.await_start()
            if not server.alive:
                server.kill()
                server = self.start(target)
                server.await_start()
        except StartError as error:
            self.broken[name, file] = str(error)
            raise
        return server

    def kill(self) -> None:
        for server in self.started.values():
            server.kill()


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    servers = Servers()
    try:
        if judging(request.config):
            # A start takes longer than most tasks: all side by side, ahead of them.
            items = [i for i in request.session.items if i.path == request.path]
            for target in {target_of(item) for item in items}:
                if target.file is not None and target.file.is_file():
                    with contextlib.suppress(Missing):  # each task will say so
                        servers.start(target)
        yield servers
    finally:
        servers.kill()


@pytest.fixture(scope="module")
def modules() -> dict[tuple[str, Path | None], ModuleType]:
    """What is imported into this process, for TestClient."""
    return {}


@pytest.fixture
def client(
    request: pytest.FixtureRequest,
    servers: Servers,
    modules: dict[tuple[str, Path | None], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client | None]:
    """A client of the recipe's app, on TestClient or on a real server.

    Both have TestClient's own calls. `client.log` is what the app logged in this test,
    `client.crashes` what left a handler uncaught: what is left there fails the test.
    """
    name, file, settings = target = target_of(request.node)
    if file is not None and not file.is_file():
        request.node.stash[BROKEN] = missing(file)
        yield None
    elif getattr(request, "param", "live") == "live":
        try:
            server = servers.get(target)
        except StartError as error:
            if isinstance(error, Missing) and not judging(request.config):
                pytest.skip(str(error))
            request.node.stash[BROKEN] = str(error)
            yield None
        else:
            # An answer that drips byte by byte comes under no bound of a single wait.
            watchdog = threading.Timer(BOUND, server.kill)
            watchdog.start()
            with LiveClient(server, servers.patience) as client:
                yield client
            watchdog.cancel()
            watchdog.join()
    else:
        if (name, file) not in modules:
            modules[name, file] = catalog.load(name, file)
        for key, value in settings:
            monkeypatch.setattr(modules[name, file], key, value)
        with InProcessClient(modules[name, file]) as client:
            yield client


def missing(file: Path) -> str:
    """What is told of an answer that is not there."""
    answers = file.parents[1]
    if (answers / file.name).is_file():
        return (
            f"There is no {file}. Give the folder above: --submission={answers.parent}"
        )
    return (
        f"There is no {file}. A folder of answers holds a folder for each recipe, as "
        "solutions/ does."
    )


def allowed_for(item: pytest.Item) -> set[str]:
    """The classes of exceptions that are no defects here: the recipe is about them."""
    return {mark.args[0] for mark in item.iter_markers("crash_ok")}


def crashes_of(client: Client, item: pytest.Item) -> list[Crash]:
    """The crashes that are defects here."""
    allowed = allowed_for(item)
    return [crash for crash in client.crashes if crash.kind not in allowed]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Do not run a test without an app; look for crashes behind one that passed."""
    if (sentence := pyfuncitem.stash.get(BROKEN, None)) is not None:
        pytest.fail(sentence, pytrace=False)
    result = yield
    client = pyfuncitem.funcargs.get("client")
    if isinstance(client, Client):
        if crashes_of(client, pyfuncitem):
            pytest.fail("What came was right, but the app raised.", pytrace=False)
        if client.stuck:
            url, does = client.stuck[0]
            text = f"The handler of {url} still runs although its client has left."
            pytest.fail(f"{text}\n{does}".strip(), pytrace=False)
    return result
