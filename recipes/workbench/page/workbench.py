"""What there is one of for all pages: apps, exercises, and who hears of saves."""

import asyncio
import contextlib
import logging
import secrets
from pathlib import Path
from typing import Protocol

from recipes.workbench.desk import Work
from recipes.workbench.exercises import practice
from recipes.workbench.exercises.attempt import Exercises
from recipes.workbench.page import saves
from recipes.workbench.programs.programs import Programs
from recipes.workbench.servers.apps import Apps


class OpenPage(Protocol):
    """What the workbench knows of a page that is open in a browser."""

    recipe: str

    def changed(self) -> None: ...

    def saved(self, files: set[Path]) -> None: ...


class Workbench:
    """The state behind the pages.

    Attributes:
        token: known to the pages of this run alone; each of their calls carries it.
        allow_remote: whether consoles may connect to other machines.
        apps: the recipes' servers.
        exercises: the recipes' exercises.
        programs: what the texts tell to run.
        pages: the pages that are open in browsers.
    """

    def __init__(self, allow_remote: bool = False) -> None:
        self.token = secrets.token_urlsafe(32)
        self.allow_remote = allow_remote
        self.pages: set[OpenPage] = set()
        self.apps = Apps(self.changed)
        self.exercises = Exercises(self.changed)
        self.programs = Programs(self.apps, self.changed, self.spawn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    def changed(self) -> None:
        """Something a page may show has changed: have each look."""
        for page in self.pages:
            page.changed()

    def spawn(self, work: Work) -> asyncio.Task[None]:
        """Run something that outlives the call that asked for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A defect of the workbench: seen in its terminal, and by its tests.
            logging.getLogger("uvicorn.error").error("A task failed", exc_info=error)

    async def watch(self) -> None:
        """Hear of saves, until `stop`."""
        await saves.watch(self.saved, self._over)

    def saved(self, files: set[Path]) -> None:
        """Files of the recipes were saved."""
        self.spawn(self.apps.saved(files))
        for page in self.pages:
            page.saved(files)
        # Judged is what somebody looks at; the rest when they do.
        for recipe in {page.recipe for page in self.pages if page.recipe}:
            self.spawn(self.exercises.saved(recipe, files))

    async def stop(self) -> None:
        """Stop all that was started."""
        self._over.set()
        practice.cancel_all()
        self.programs.kill()
        await self.apps.stop()
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
