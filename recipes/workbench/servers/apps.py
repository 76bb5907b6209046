"""The recipes' apps as servers that the page starts, stops and restarts.

Each runs in a child process (`server.py`), as `uvicorn recipes.…:app` in a terminal
would, on 127.0.0.1 at a port that the system picks. What it prints is its log.
"""

import ast
import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recipes.workbench import catalog
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.server import STOP_TIMEOUT, AppServer, StartError
from recipes.workbench.tail import Tail

# Bounds: of servers at a time, and for each the lines kept and their length.
MOST_SERVERS = 8
MOST_LINES = 1_000
LONGEST_LINE = 2_000
MOST_CRASHES = 100
# Seconds that an app with a handler of its own for SIGTERM has for what that does.
DRAIN_TIMEOUT = 10.0
# An exercise's module, and the files of a recipe that are a learner's.
EXERCISE = "exercise"
OF_EXERCISES = {"exercise.py", "test_exercise.py"}
# Seconds that a server may take to stop when the workbench ends.
LAST_TIMEOUT = 2.0

# What parsing a file may raise: it is broken, gone, a folder, or nested too deeply.
UNREADABLE = (SyntaxError, ValueError, OSError, MemoryError, RecursionError)


def apps(recipe: str) -> dict[str, str]:
    """The modules of a recipe that hold an `app`, each with its one-line blurb.

    In the order: `main`, stages, what else there is, demos, the exercise.
    Found in the source, since importing runs it.
    """
    order = {"main": 0, "step": 1, "demo": 3, "exercise": 4}
    found = {}
    for file in (catalog.RECIPES / recipe).glob("*.py"):
        if file.stem.startswith((".", "exercise_before_reset")):
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except UNREADABLE:  # being edited; whoever starts it sees why
            found[file.stem] = "" if file.stem != "exercise" else "Your exercise."
            continue
        if file.stem == "exercise" or any(makes_app(node) for node in tree.body):
            doc = ast.get_docstring(tree) or ""
            found[file.stem] = doc.partition("\n")[0]

    def kind(name: str) -> str:
        return re.split(r"[_\d]", name)[0]

    return dict(sorted(found.items(), key=lambda f: (order.get(kind(f[0]), 2), f[0])))


def makes_app(node: ast.stmt) -> bool:
    """Whether a statement at the top of a module is `app = …`."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(name, ast.Name) and name.id == "app" for name in targets)


class Served(AppServer):
    """A server whose output goes to a log, and of whose reports only few are kept."""

    def __init__(self, app: "App", settings: Mapping[str, str], port: int) -> None:
        self.app = app
        self.crashed: deque[str] = deque(maxlen=MOST_CRASHES)
        super().__init__(app.module, settings=settings, port=port, wait=False)

    def printed(self, line: str) -> None:
        super().printed(line)
        self.app.say(line)

    def reported(self, report: dict[str, Any]) -> None:
        # It may run for days: connections and log lines are not counted here.
        if report["event"] == "crash":
            self.crashed.append(report["kind"])
        elif report["event"] in {"routes", "ready", "failed"} and len(self.reports) < 9:
            self.reports.append(report)

    def ended(self) -> None:
        self.app.call(self.app.died, self)


class App:
    """One app: its server if it runs, and the log of all its runs.

    Attributes:
        state: stopped, starting, running, stopping, or failed.
        sentence: why it failed.
        port: where it serves, or served last; 0 before it was ever started.
        settings: the environment variables that it was started with.
    """

    def __init__(self, recipe: str, name: str, changed: Callable[[], None]) -> None:
        self.recipe, self.name = recipe, name
        self.module = f"recipes.{recipe}.{name}"
        self.state = "stopped"
        self.sentence = ""
        self.port = 0
        self.settings: dict[str, str] = {}
        self.log: Tail[str] = Tail(MOST_LINES)
        self.server: Served | None = None
        # Set when the workbench ends: what waits for its turn starts nothing more.
        self.over = False
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        # One thing at a time: a save during a start waits for it.
        self._turn = asyncio.Lock()
        self._restart_waits = False

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Have the event loop call a function; for the threads of the server."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody looks
            self._loop.call_soon_threadsafe(function, *arguments)

    def say(self, line: str) -> None:
        """Add a line to the log."""
        line = line.rstrip("\r\n")
        if (more := len(line) - LONGEST_LINE) > 0:
            line = f"{line[:LONGEST_LINE]} … {more:,} more characters"
        self.log.add(line)
        self.call(self._changed)

    def _turn_to(self, state: str, sentence: str = "") -> None:
        self.state, self.sentence = state, sentence
        self._changed()

    async def start(self, settings: Mapping[str, str]) -> None:
        """Start it, if it does not run."""
        async with self._turn:
            if self.state not in {"running", "starting"}:
                self.settings = dict(settings)
                await self._start()

    async def stop(self, patience: float = STOP_TIMEOUT, drains: float = 0) -> None:
        """Stop it as Ctrl-C would, if it runs; by force after `patience` s.

        Before that it gets a SIGTERM, and `drains` s if it has a handler for that.
        """
        async with self._turn:
            await self._stop(patience, drains)

    async def restart(self, why: str) -> None:
        """Stop and start it at the same port, if it runs or failed to start."""
        if self._restart_waits:
            return  # many saves in a row need one restart after the one that runs
        self._restart_waits = True
        async with self._turn:
            self._restart_waits = False
            if self.state not in {"running", "failed"}:
                return
            self.say(f"--- {why}: restarting")
            await self._stop()
            await self._start()

    async def _start(self) -> None:
        if self.over:
            return
        self._turn_to("starting")
        self.server = server = Served(self, self.settings, self.port)
        try:
            await asyncio.to_thread(server.await_start)
        except StartError as error:
            self._turn_to("failed", str(error))
        else:
            self.port = server.port
            self._turn_to("running")
            if not server.alive:
                self.died(server)

    async def _stop(self, patience: float = STOP_TIMEOUT, drains: float = 0) -> None:
        server, self.server = self.server, None
        if server is None:
            return
        if server.alive:
            self._turn_to("stopping")
            if drains and server.hooked:
                server.terminate()
                await asyncio.to_thread(server.wait, drains)
            if not await asyncio.to_thread(server.stop, patience):
                self.say("--- It did not stop by itself: ended by force")
        self._turn_to("stopped")

    def died(self, server: Served) -> None:
        """The process has ended; nobody may have asked it to."""
        if server is self.server and self.state == "running":
            self._turn_to("failed", f"{self.module} ended by itself; start it again.")

    def kill(self) -> None:
        """End it at once, also while it starts; for the end of the workbench."""
        if self.server is not None:
            self.server.kill()


class Apps:
    """The apps of all recipes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._apps: dict[str, dict[str, App]] = {}
        # The recipes whose files have not changed since they were searched for apps.
        self._looked_at: set[str] = set()

    def of(self, recipe: str) -> list[App]:
        """The recipe's apps, with those that were added since.

        One that was once there stays: a file may be without `app` while it is edited.
        """
        known = self._apps.setdefault(recipe, {})
        if recipe not in self._looked_at:
            self._looked_at.add(recipe)
            for name in apps(recipe):
                if name not in known:
                    known[name] = App(recipe, name, self._changed)
        return list(known.values())

    def get(self, recipe: str, name: str) -> App:
        """Raises Refusal: there is no such app."""
        for app in self.of(recipe):
            if app.name == name:
                return app
        raise Refusal(f"{recipe} has no app in {name}.py.")

    def every(self) -> list[App]:
        return [app for known in self._apps.values() for app in known.values()]

    def last_at(self, port: int) -> App | None:
        """The app that serves at a port, or served there last."""
        every = [app for app in self.every() if app.port == port]
        every.sort(key=lambda app: app.state == "running")
        return every[-1] if every else None

    async def start(self, app: App, settings: Mapping[str, str]) -> None:
        """Start an app. Raises Refusal: too many run already."""
        busy = [a for a in self.every() if a.state not in {"stopped", "failed"}]
        if app not in busy and len(busy) >= MOST_SERVERS:
            names = ", ".join(a.module for a in busy)
            raise Refusal(f"{MOST_SERVERS} servers run: {names}. Stop one first.")
        await app.start(settings)

    async def saved(self, files: set[Path]) -> None:
        """Restart the servers of the recipes whose files were saved.

        For the exercise that is its own alone: no other app imports it, and a learner
        who saves it often has consoles open to others.
        """
        names: dict[str, list[str]] = {}
        for file in sorted(files):
            names.setdefault(file.relative_to(catalog.RECIPES).parts[0], [])
            names[file.relative_to(catalog.RECIPES).parts[0]].append(file.name)
        self._looked_at -= names.keys()
        every = [
            app
            for app in self.every()
            if app.recipe in names
            and (app.name == EXERCISE or set(names[app.recipe]) - OF_EXERCISES)
        ]
        whys = [f"saved {', '.join(names[app.recipe])}" for app in every]
        restarts = [app.restart(why) for app, why in zip(every, whys, strict=True)]
        await asyncio.gather(*restarts)

    async def stop(self) -> None:
        """Stop all, as Ctrl-C would; whoever pressed it for the page waits for this."""
        for app in self.every():
            app.over = True
            if app.state == "starting":
                app.kill()
        await asyncio.gather(*(app.stop(LAST_TIMEOUT) for app in self.every()))
