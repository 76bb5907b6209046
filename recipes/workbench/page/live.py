"""The socket of one open page: what it asks for is done, and it is told the news.

News is a JSON object that says what it `tell`s. It is not queued: what has changed
since the page was told last is worked out when the page is ready to take it, so a slow
page costs no memory.
"""

import asyncio
import contextlib
import json
import re
import secrets
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from recipes.workbench import catalog
from recipes.workbench.consoles.console import Console, fetch_token
from recipes.workbench.consoles.exchange import (
    Exchange,
    Target,
    TokenRequest,
    conversation,
)
from recipes.workbench.consoles.offers import Offers, for_app, offers
from recipes.workbench.consoles.scripts import as_python, as_test
from recipes.workbench.exercises import practice
from recipes.workbench.page import render
from recipes.workbench.page.calls import (
    AnyCall,
    Calls,
    Check,
    Connect,
    Copy,
    Hint,
    Leave,
    Open,
    Reset,
    Send,
    Solution,
    Start,
    Stop,
    Token,
    bytes_of,
    headers_of,
    json_of,
    settings_of,
)
from recipes.workbench.page.news import console_shown, frame_shown
from recipes.workbench.page.workbench import Workbench
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.apps import App

# Seconds between two looks at what is new: a flood is told in few large messages.
PAUSE = 0.04
# Bounds: of exchanges to be copied, tokens remembered, and answers not yet taken.
MOST_EXCHANGES = 50
MOST_TOKENS = 50
MOST_ANSWERS = 200


class Page:
    """An open page of the workbench.

    Attributes:
        wake: set when something it shows may have changed.
        recipe: the one it shows; empty for the contents.
    """

    def __init__(self, websocket: WebSocket, workbench: Workbench) -> None:
        self.wake = asyncio.Event()
        self._websocket = websocket
        self._workbench = workbench
        self.recipe = ""
        self._offers = Offers()
        # What it was told last, and how far it has read each log.
        self._told: dict[str, dict[str, Any]] = {}
        self._read: dict[str, int] = {}
        self._answers: deque[dict[str, Any]] = deque(maxlen=MOST_ANSWERS)
        self._consoles: dict[int, Console] = {}
        # Also those that ended: others may have heard of them.
        self._exchanges: deque[Exchange] = deque(maxlen=MOST_EXCHANGES)
        # Which tokens were fetched, and how: by the header that carries them.
        self._tokens: dict[str, TokenRequest] = {}

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
            ends = [console.end() for console in self._consoles.values()]
            await asyncio.gather(telling, *ends, return_exceptions=True)

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
                self._complain(f"Not understood: {error.errors()[0]['msg']}.")
                continue
            if not secrets.compare_digest(
                call.token.encode(), self._workbench.token.encode()
            ):
                await self._close(1008, "Not of this run: reload the page")
                return
            try:
                await self._obey(call)
            except Refusal as refusal:
                self._complain(str(refusal))

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close(code, reason)

    def _complain(self, sentence: str) -> None:
        self._answer({"tell": "trouble", "sentence": sentence})

    def _answer(self, message: dict[str, Any]) -> None:
        self._answers.append(message)
        self.wake.set()

    # Calls

    async def _obey(self, call: Calls) -> None:
        match call:
            case Open():
                self._open(call.recipe)
            case _ if not self.recipe:
                raise Refusal("Open a recipe first.")
            case Start():
                app, settings = self._app(call.app), settings_of(call.settings)
                self._in_background(self._workbench.apps.start(app, settings))
            case Stop():
                self._in_background(self._app(call.app).stop())
            case Connect():
                target = self._target(call)
                self._exchanges.append(self._console(call.console).connect(target))
                self._read[f"console {call.console}"] = 0
            case Send():
                self._send(self._console(call.console), call)
            case Leave():
                if console := self._consoles.pop(call.console, None):
                    self._told.pop(f"console {call.console}", None)
                    self._workbench.spawn(console.end())
            case Token():
                self._in_background(self._fetch_token(call))
            case Copy():
                self._copy(call)
            case Check():
                self._in_background(self._workbench.exercise(self.recipe).check())
            case Hint():
                self._in_background(self._hint(call.n))
            case Solution():
                self._in_background(self._solution(call.anyway))
            case Reset():
                self._in_background(self._reset())

    def _open(self, recipe: str) -> None:
        if recipe and recipe not in catalog.recipes():
            raise Refusal(f"There is no recipe {recipe!r}.")
        self.recipe = recipe
        self._offers = Offers()
        if recipe:
            try:
                self._offers = offers(recipe)
            except Refusal as refusal:
                self._complain(str(refusal))
        self._told.clear()
        self._read.clear()
        self.wake.set()
        if recipe:
            self._in_background(self._workbench.exercise(recipe).look())
        else:
            self._in_background(self._tell_progress(catalog.recipes()))

    def _app(self, name: str) -> App:
        return self._workbench.apps.get(self.recipe, name)

    def _in_background(self, work: Any) -> None:
        async def guarded() -> None:
            try:
                await work
            except Refusal as refusal:
                self._complain(str(refusal))

        self._workbench.spawn(guarded())

    def _console(self, number: int) -> Console:
        if number not in self._consoles:
            console = Console(self.wake.set, self._workbench.allow_remote)
            self._consoles[number] = console
        return self._consoles[number]

    def _target(self, call: Connect) -> Target:
        headers = headers_of(call.headers)
        known = (self._tokens.get(v) for k, v in headers if k == "Authorization")
        return Target(
            url=call.url.strip(),
            headers=headers,
            subprotocols=tuple(re.split(r"[\s,]+", call.subprotocols.strip(", ")))
            if call.subprotocols.strip(", ")
            else (),
            origin=call.origin.strip(),
            token=next(known, None),
        )

    def _send(self, console: Console, call: Send) -> None:
        match call.kind:
            case "text":
                console.send(call.data)
            case "json":
                console.send(json_of(call.data))
            case "binary":
                console.send(bytes_of(call.data))
            case "ping":
                console.ping(call.data.encode())
            case "close":
                console.close(call.code, call.data)
            case "cut":
                console.cut()

    async def _fetch_token(self, call: Token) -> None:
        if self._offers.token is None or call.user >= len(self._offers.token.users):
            raise Refusal("This recipe gives no such token.")
        request = self._offers.token.request(call.user)
        url, remote = call.url.strip(), self._workbench.allow_remote
        token = await fetch_token(url, request, remote)
        header = f"Bearer {token}"
        if len(self._tokens) >= MOST_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        self._tokens[header] = request
        self._answer({"tell": "token", "console": call.console, "value": header})

    def _copy(self, call: Copy) -> None:
        chosen = self._console(call.console).exchange
        if chosen is None:
            raise Refusal("Connect first: there is nothing to copy.")
        held = conversation(chosen, self._exchanges)
        if call.form == "python":
            name, text, how = "exchange.py", as_python(held), "python exchange.py"
        else:
            text = self._as_test(held, urlsplit(chosen.target.url).port)
            name, how = "test_exchange.py", "pytest test_exchange.py"
        how = f"Save it as {name} in the workbook's folder, and run: {how}"
        self._answer({"tell": "copied", "name": name, "text": text, "how": how})

    def _as_test(self, held: list[Exchange], port: int | None) -> str:
        app = self._workbench.apps.last_at(port or 80)
        if app is None:
            raise Refusal(
                "A test imports the app, and which one answered at that port is not "
                "known: it is no server of this page."
            )
        crashes = list(app.server.crashed) if app.server else []
        return as_test(held, app.module, app.settings, crashes=crashes)

    async def _hint(self, n: int) -> None:
        hint = await asyncio.to_thread(practice.hint, self.recipe, n)
        if hint is None:
            raise Refusal("All tasks are passed: there is nothing to hint at.")
        self._answer(
            {
                "tell": "hint",
                "task": hint.task.title,
                "n": hint.n,
                "total": hint.total,
                "text": hint.text,
            }
        )

    async def _solution(self, anyway: bool) -> None:
        try:
            text = await asyncio.to_thread(practice.solution, self.recipe, anyway)
        except practice.NoSolutions:
            raise Refusal("This edition of the workbook has no solutions.") from None
        except practice.NotPassed:
            self._answer({"tell": "solution", "html": ""})
        else:
            self._answer({"tell": "solution", "html": render.code(text, "python")})

    async def _reset(self) -> None:
        try:
            kept = await asyncio.to_thread(practice.reset, self.recipe)
        except OSError as error:
            raise Refusal(f"Nothing was changed: {error.strerror}.") from None
        name = kept.relative_to(catalog.ROOT).as_posix() if kept else ""
        self._answer({"tell": "reset", "kept": name})

    async def _tell_progress(self, recipes: list[str]) -> None:
        waiting = set(recipes)

        async def tell(recipe: str) -> None:
            progress = await self._workbench.progress(recipe)
            waiting.discard(recipe)
            self._answer(
                {
                    "tell": "progress",
                    "recipe": recipe,
                    "state": progress.words,
                    "passed": progress.done,
                    "total": progress.total,
                }
            )
            rest = f"Judging your exercises: {len(waiting)} to go." if waiting else ""
            self._answer({"tell": "judging", "sentence": rest})

        await asyncio.gather(*map(tell, recipes))

    # News

    def saved(self, files: set[Path]) -> None:
        """Files were saved; the page may show one of them."""
        folder = catalog.RECIPES / self.recipe
        names = [f.relative_to(folder).as_posix() for f in files if folder in f.parents]
        if self.recipe and names:
            self._answer({"tell": "saved", "files": names})
        elif not self.recipe:
            changed = {f.relative_to(catalog.RECIPES).parts[0] for f in files}
            self._in_background(self._tell_progress(sorted(changed)))

    async def _tell(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            try:
                # Escaped: half a surrogate pair, as JSON may hold, is no UTF-8.
                texts = (json.dumps(message) for message in self._news())
                for text in texts:
                    if not await self._sent(text):
                        return
            except Exception:
                # A defect of ours. The page must not wait for news that do not come.
                await self._close(1011, "The workbench has failed: reload the page")
                raise
            await asyncio.sleep(PAUSE)

    async def _sent(self, text: str) -> bool:
        """Send it; False if the page is gone."""
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            return False
        return True

    def _news(self) -> Iterator[dict[str, Any]]:
        while self._answers:
            yield self._answers.popleft()
        if self.recipe:
            yield from self._if_new("exercise", self._exercise_shown())
            for app in self._workbench.apps.of(self.recipe):
                yield from self._if_new(f"app {app.name}", self._shown(app))
                yield from self._log(app)
        for number, console in self._consoles.items():
            yield from self._frames(number, console)
            yield from self._if_new(f"console {number}", console_shown(number, console))

    def _if_new(self, what: str, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self._told.get(what) != message:
            self._told[what] = message
            yield message

    def _exercise_shown(self) -> dict[str, Any]:
        return self._workbench.exercise(self.recipe).shown()

    def _shown(self, app: App) -> dict[str, Any]:
        routes = app.server.routes() if app.server and app.state == "running" else []
        return {
            "tell": "app",
            "app": app.name,
            "state": app.state,
            "sentence": app.sentence,
            "port": app.port,
            "settings": " ".join(f"{k}={v}" for k, v in app.settings.items()),
            "pages": [path for kind, path in routes if kind == "page"],
            "offers": for_app(self._offers.offer, app.name, app.port, routes),
        }

    def _log(self, app: App) -> Iterator[dict[str, Any]]:
        piece = app.log.since(self._read.get(app.name, 0))
        self._read[app.name] = piece.seen
        if piece.items or piece.left_out:
            yield {
                "tell": "log",
                "app": app.name,
                "lines": piece.items,
                "left_out": piece.left_out,
            }

    def _frames(self, number: int, console: Console) -> Iterator[dict[str, Any]]:
        key = f"console {number}"
        piece = console.frames.since(self._read.get(key, 0))
        self._read[key] = piece.seen
        if console.exchange and (piece.items or piece.left_out):
            began = console.exchange.began
            yield {
                "tell": "frames",
                "console": number,
                "run": console.run,
                "frames": [frame_shown(seen, began) for seen in piece.items],
                "left_out": piece.left_out,
            }
