"""The servers' desk: apps are started and stopped, and shown with their logs."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from recipes.workbench.desk import Call, Desk, Line, News
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.apps import DRAIN_TIMEOUT, App, Apps


class Start(Call):
    """Start an app; `settings` as one writes them before a command, NAME=value."""

    do: Literal["start"]
    app: str
    settings: str = Field("", max_length=1_000)


class Stop(Call):
    """Stop an app as a system does: with SIGTERM first.

    It is one of the recipe that the page shows, if the call names no other.
    """

    do: Literal["stop"]
    app: str
    recipe: str = ""


ServersCall = Start | Stop


@dataclass
class AppShown(News):
    """An app's state; while it runs, the pages it serves and what to try there."""

    app: str
    state: str
    sentence: str
    port: int
    settings: str
    pages: list[str]
    offers: Sequence[object]
    tell: Literal["app"] = "app"


@dataclass
class Running:
    """A server that runs, of whichever recipe: where, and the sockets it has."""

    recipe: str
    app: str
    state: str
    port: int
    sockets: list[str]


@dataclass
class RunningShown(News):
    """What runs, of all recipes."""

    servers: list[Running]
    tell: Literal["running"] = "running"


@dataclass
class LogLines(News):
    """Lines that came to an app's log, and how many before them are left out."""

    app: str
    lines: list[str]
    left_out: int
    tell: Literal["log"] = "log"


# What consoles have to offer for an app at a port, with these routes: what to try, and
# the pages to open.
Offering = Callable[
    [str, int, list[tuple[str, str]]], tuple[Sequence[object], list[str]]
]


class ServersDesk(Desk):
    """Where a page asks for servers."""

    def __init__(self, line: Line, apps: Apps, offering: Offering) -> None:
        super().__init__(line)
        self._apps = apps
        self._offering = offering

    def take(self, call: ServersCall) -> None:
        if isinstance(call, Start):
            app = self._apps.get(self.recipe, call.app)
            settings = settings_of(call.settings)
            self.line.in_background(self._apps.start(app, settings))
            return
        for app in self._apps.every():
            if (app.recipe, app.name) == (call.recipe or self.recipe, call.app):
                self.line.in_background(app.stop(drains=DRAIN_TIMEOUT))
                return
        raise Refusal(f"Nothing of that name runs: {call.app}.")

    def news(self) -> Iterator[News]:
        for app in self._apps.of(self.recipe) if self.recipe else []:
            # What it printed comes first: it tells why the state is what it is.
            piece = self.unread(app.name, app.log)
            if piece.items or piece.left_out:
                yield LogLines(app.name, piece.items, piece.left_out)
            yield from self.if_new(app.name, self._shown(app))
        # No app has such a name.
        yield from self.if_new("what runs", RunningShown(self._running()))

    def _running(self) -> list[Running]:
        every = [a for a in self._apps.every() if a.state not in {"stopped", "failed"}]
        return [
            Running(
                app.recipe,
                app.name,
                app.state,
                app.port,
                [path for kind, path in routes_of(app) if kind == "websocket"],
            )
            for app in every
        ]

    def _shown(self, app: App) -> AppShown:
        routes = routes_of(app)
        offers, pages = self._offering(app.name, app.port, routes)
        settings = " ".join(f"{k}={v}" for k, v in app.settings.items())
        return AppShown(
            app.name, app.state, app.sentence, app.port, settings, pages, offers
        )


def routes_of(app: App) -> list[tuple[str, str]]:
    """What an app serves, while it runs."""
    return app.server.routes() if app.server and app.state == "running" else []


def settings_of(line: str) -> dict[str, str]:
    """The settings in `NAME=value NAME=value`. Raises Refusal."""
    try:
        pairs = [word.partition("=") for word in shlex.split(line)]
    except ValueError:
        raise Refusal("A quote is not closed in the settings.", "settings") from None
    for name, equals, value in pairs:
        if not equals or not re.fullmatch("[A-Z_][A-Z0-9_]*", name) or "\0" in value:
            raise Refusal(
                "Settings are written NAME=value, as in IDLE_TIMEOUT=2.", "settings"
            )
    return {name: value for name, _, value in pairs}
