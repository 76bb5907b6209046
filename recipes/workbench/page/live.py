"""The socket of one open page: calls go to the desks, and their news to the page."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from recipes.workbench import catalog
from recipes.workbench.consoles.calls import ConsolesCall
from recipes.workbench.consoles.desk import ConsolesDesk
from recipes.workbench.desk import Desk, Line, News
from recipes.workbench.exercises.desk import ExerciseDesk
from recipes.workbench.page import render
from recipes.workbench.page.calls import AnyCall, Calls, Open
from recipes.workbench.page.workbench import Workbench
from recipes.workbench.programs.desk import ProgramsCall, ProgramsDesk
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.desk import ServersCall, ServersDesk, Stop

# Seconds between two looks at what is new: a flood is told in few large messages.
PAUSE = 0.04


@dataclass
class Saved(News):
    """Files of the recipe were saved."""

    files: list[str]
    tell: Literal["saved"] = "saved"


class Page:
    """An open page of the workbench.

    Attributes:
        recipe: the one it shows; empty for the contents.
    """

    def __init__(self, websocket: WebSocket, workbench: Workbench) -> None:
        self.recipe = ""
        self._websocket = websocket
        self._workbench = workbench
        self._line = line = Line(workbench.spawn)
        self._exercise = ExerciseDesk(line, workbench.exercises, render.code)
        self._consoles = ConsolesDesk(line, workbench.apps, workbench.allow_remote)
        self._servers = ServersDesk(line, workbench.apps, self._consoles.offering)
        self._programs = ProgramsDesk(line, workbench.programs)
        self._desks: list[Desk] = [
            *(self._exercise, self._servers, self._consoles, self._programs)
        ]

    async def run(self) -> None:
        """Serve the page until it goes."""
        await self._websocket.accept()
        self._workbench.pages.add(self)
        telling = self._workbench.spawn(self._tell())
        try:
            await self._listen()
        finally:
            self._workbench.pages.discard(self)
            telling.cancel()
            ends = self._consoles.end()
            await asyncio.gather(telling, ends, return_exceptions=True)

    async def _listen(self) -> None:
        while (message := await self._websocket.receive())["type"] != (
            "websocket.disconnect"
        ):
            if message.get("text") is None:
                await self._close(1003, "Text only")
                return
            try:
                call = AnyCall.validate_json(message["text"])
            except ValidationError as error:
                wrong = error.errors()[0]["msg"]
                self._line.complain(Refusal(f"Not understood: {wrong}."))
                continue
            if not secrets.compare_digest(
                call.token.encode(), self._workbench.token.encode()
            ):
                await self._close(1008, "Not of this run: reload the page")
                return
            try:
                self._take(call)
            except Refusal as refusal:
                self._line.complain(refusal)

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(code, reason)

    def _take(self, call: Calls) -> None:
        if isinstance(call, Open):
            self._open(call.recipe)
        elif isinstance(call, Stop) and call.recipe:
            self._servers.take(call)
        elif not self.recipe:
            raise Refusal("Open a recipe first.")
        elif isinstance(call, ServersCall):
            self._servers.take(call)
        elif isinstance(call, ConsolesCall):
            self._consoles.take(call)
        elif isinstance(call, ProgramsCall):
            self._programs.take(call)
        else:
            self._exercise.take(call)

    def _open(self, recipe: str) -> None:
        if recipe and recipe not in catalog.recipes():
            raise Refusal(f"There is no recipe {recipe!r}.")
        self.recipe = recipe
        for desk in self._desks:
            desk.open(recipe)
        self.changed()

    def changed(self) -> None:
        """Something it shows may have changed."""
        self._line.wake.set()

    def saved(self, files: set[Path]) -> None:
        """Files were saved; the page may show one of them."""
        folder = catalog.RECIPES / self.recipe
        names = [f.relative_to(folder).as_posix() for f in files if folder in f.parents]
        if self.recipe and names:
            self._line.tell(Saved(names))
            self._exercise.saved(names)
        elif not self.recipe:
            changed = {f.relative_to(catalog.RECIPES).parts[0] for f in files}
            self._exercise.tell_progress(sorted(changed))

    async def _tell(self) -> None:
        while True:
            await self._line.wake.wait()
            self._line.wake.clear()
            try:
                # Escaped: half a surrogate pair, as JSON may hold, is no UTF-8.
                texts = (json.dumps(news, default=vars) for news in self._news())
                for text in texts:
                    if not await self._sent(text):
                        return
            except Exception:
                # A defect of ours. The page must not wait for news that do not come.
                await self._close(1011, "The workbench has failed: reload the page")
                raise
            await asyncio.sleep(PAUSE)

    def _news(self) -> Iterator[News]:
        yield from self._line.answers()
        for desk in self._desks:
            yield from desk.news()

    async def _sent(self, text: str) -> bool:
        """Send it; False if the page is gone."""
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            return False
        return True
