"""What there is one of for all pages: the apps, and who hears when files are saved."""

import asyncio
import contextlib
import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import Change, DefaultFilter, awatch

from recipes.workbench import catalog
from recipes.workbench.exercises import practice
from recipes.workbench.exercises.attempt import Exercise
from recipes.workbench.servers.apps import Apps

if TYPE_CHECKING:
    from recipes.workbench.page.live import Page

# What a server is restarted for.
SOURCES = {".py", ".html", ".js", ".css"}


class Sources(DefaultFilter):
    """Source files of recipes; not what Python and editors write beside them."""

    def __call__(self, change: Change, path: str) -> bool:
        file = Path(path)
        return (
            file.suffix in SOURCES
            and not file.name.startswith("exercise_before_reset")
            and super().__call__(change, path)
        )


class Workbench:
    """The state behind the pages.

    Attributes:
        token: known to the pages of this run alone; each of their calls carries it.
        allow_remote: whether consoles may connect to other machines.
        apps: the recipes' servers.
        pages: the pages that are open in browsers.
    """

    def __init__(self, allow_remote: bool = False) -> None:
        self.token = secrets.token_urlsafe(32)
        self.allow_remote = allow_remote
        self.pages: set[Page] = set()
        self.apps = Apps(self.changed)
        self._exercises: dict[str, Exercise] = {}
        # Two at a time: as many as the terminal's progress judges.
        self._turns = asyncio.Semaphore(practice.SIDE_BY_SIDE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    def changed(self) -> None:
        """Something a page may show has changed: have each look."""
        for page in self.pages:
            page.wake.set()

    def spawn(self, work: "asyncio._CoroutineLike[None]") -> asyncio.Task[None]:
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
        """Restart servers when their files are saved, until `stop`."""
        try:
            await self._watch(polling=None)
        except (OSError, RuntimeError) as error:
            # The system cannot tell of changes there, or of a name that is no UTF-8.
            logging.getLogger("uvicorn.error").warning(
                "Saves are looked for every 0.3 s now, since watching failed: %s", error
            )
            await self._watch(polling=True)

    async def _watch(self, polling: bool | None) -> None:
        # The recipes alone: `workbench` itself is not restarted.
        folders = [catalog.RECIPES / recipe for recipe in catalog.recipes()]
        async for changes in awatch(
            *folders,
            watch_filter=Sources(),
            stop_event=self._over,
            debounce=200,
            force_polling=polling,
        ):
            self.saved({Path(path) for _, path in changes})

    def exercise(self, recipe: str) -> Exercise:
        """The state of a recipe's exercise."""
        if recipe not in self._exercises:
            self._exercises[recipe] = Exercise(recipe, self.changed)
        return self._exercises[recipe]

    async def progress(self, recipe: str) -> practice.Progress:
        """How far an exercise is; judged in its turn, if that is not known."""
        async with self._turns:
            return await asyncio.to_thread(practice.progress_of, recipe)

    def saved(self, files: set[Path]) -> None:
        """Files of the recipes were saved."""
        self.spawn(self.apps.saved(files))
        for page in self.pages:
            page.saved(files)
        # Judged is what somebody looks at; the rest when they do.
        for recipe in {page.recipe for page in self.pages if page.recipe}:
            folder = catalog.RECIPES / recipe
            if any(f.suffix == ".py" and folder in f.parents for f in files):
                self.spawn(self.exercise(recipe).saved())

    async def stop(self) -> None:
        """Stop all that was started."""
        self._over.set()
        practice.cancel_all()
        await self.apps.stop()
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
