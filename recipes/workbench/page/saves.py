"""Hear of files that are saved."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from recipes.workbench import catalog

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


async def watch(saved: Callable[[set[Path]], None], over: asyncio.Event) -> None:
    """Call `saved` with the source files of recipes that were saved, until `over`."""
    try:
        await _watch(saved, over, polling=None)
    except (OSError, RuntimeError) as error:
        # The system cannot tell of changes there, or of a name that is no UTF-8.
        logging.getLogger("uvicorn.error").warning(
            "Saves are looked for every 0.3 s now, since watching failed: %s", error
        )
        await _watch(saved, over, polling=True)


async def _watch(
    saved: Callable[[set[Path]], None], over: asyncio.Event, polling: bool | None
) -> None:
    # The recipes alone: `workbench` itself is not restarted.
    folders = [catalog.RECIPES / recipe for recipe in catalog.recipes()]
    async for changes in awatch(
        *folders,
        watch_filter=Sources(),
        stop_event=over,
        debounce=200,
        force_polling=polling,
    ):
        saved({Path(path) for _, path in changes})
