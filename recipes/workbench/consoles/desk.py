"""The consoles' desk: a page connects, sends, logs in, and copies what was said."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from recipes.workbench.consoles import calls
from recipes.workbench.consoles.console import Console
from recipes.workbench.consoles.copies.script import as_python
from recipes.workbench.consoles.copies.test import as_test
from recipes.workbench.consoles.exchange import Exchange, conversation
from recipes.workbench.consoles.offers import (
    Offers,
    OfferShown,
    for_app,
    offers,
    pages,
)
from recipes.workbench.consoles.request import Answer, ask
from recipes.workbench.consoles.rows import (
    Rows,
    console_shown,
    handshake_shown,
    row,
)
from recipes.workbench.consoles.target import Target, TokenRequest
from recipes.workbench.consoles.token import fetch_token
from recipes.workbench.desk import Desk, Line, News
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.apps import Apps

# Bounds: of exchanges to be copied, and of tokens remembered.
MOST_EXCHANGES = 50
MOST_TOKENS = 50


@dataclass
class TokenFetched(News):
    """A token came, as the value of the header `Authorization`."""

    console: int
    value: str
    tell: Literal["token"] = "token"


@dataclass
class Answered(News):
    """What a plain HTTP request was answered with."""

    console: int
    method: str
    url: str
    answer: Answer
    tell: Literal["answered"] = "answered"


@dataclass
class Copied(News):
    """An exchange as the text of a file, and how to run it."""

    name: str
    text: str
    how: str
    tell: Literal["copied"] = "copied"


class ConsolesDesk(Desk):
    """The consoles of one page.

    `apps` are asked which app a console talked to; `allow_remote` says whether consoles
    may connect to other machines.
    """

    def __init__(self, line: Line, apps: Apps, allow_remote: bool) -> None:
        super().__init__(line)
        self._apps = apps
        self._allow_remote = allow_remote
        self._offers = Offers()
        self._consoles: dict[int, Console] = {}
        # Also those that ended: others may have heard of them.
        self._exchanges: deque[Exchange] = deque(maxlen=MOST_EXCHANGES)
        # Which tokens were fetched, and how: by the header that carries them.
        self._tokens: dict[str, TokenRequest] = {}

    def open(self, recipe: str) -> None:
        super().open(recipe)
        self._offers = Offers()
        if recipe:
            try:
                self._offers = offers(recipe)
            except Refusal as refusal:
                self.line.complain(refusal)

    def offering(
        self, app: str, port: int, routes: list[tuple[str, str]]
    ) -> tuple[Sequence[OfferShown], list[str]]:
        """What to try at an app of the recipe, and which pages to open."""
        offered = for_app(self._offers.offer, app, port, routes)
        return offered, pages(self._offers.page, routes)

    def take(self, call: calls.ConsolesCall) -> None:
        try:
            self._take(call)
        except Refusal as refusal:
            self.line.complain(refusal, call.console)

    def _take(self, call: calls.ConsolesCall) -> None:
        match call:
            case calls.Connect():
                exchange = self._console(call.console).connect(self._target(call))
                self._exchanges.append(exchange)
                self.forget(f"console {call.console}")
                self.forget(f"handshake {call.console}")
            case calls.Send():
                send(self._console(call.console), call)
            case calls.Leave():
                if console := self._consoles.pop(call.console, None):
                    self.forget(f"console {call.console}")
                    self.line.spawn(console.end())
            case calls.Request():
                self.line.in_background(self._ask(call), call.console)
            case calls.Token():
                self.line.in_background(self._fetch_token(call), call.console)
            case calls.Copy():
                self._copy(call)

    def news(self) -> Iterator[News]:
        for number, console in self._consoles.items():
            name = f"console {number}"
            if handshake := handshake_shown(number, console):
                yield from self.if_new(f"handshake {number}", handshake)
            piece = self.unread(name, console.frames)
            if console.exchange and (piece.items or piece.left_out):
                began = console.exchange.began
                rows = [row(seen, began) for seen in piece.items]
                yield Rows(number, console.run, rows, piece.left_out)
            yield from self.if_new(name, console_shown(number, console))

    async def end(self) -> None:
        """The page is gone: drop the connections, and wait until that is done."""
        ends = [console.end() for console in self._consoles.values()]
        await asyncio.gather(*ends, return_exceptions=True)

    def _console(self, number: int) -> Console:
        if number not in self._consoles:
            console = Console(self.line.wake.set, self._allow_remote)
            self._consoles[number] = console
        return self._consoles[number]

    def _target(self, call: calls.Connect) -> Target:
        headers = calls.headers_of(call.headers)
        known = (self._tokens.get(v) for k, v in headers if k == "Authorization")
        return Target(
            url=call.url.strip(),
            headers=headers,
            subprotocols=tuple(re.findall(r"[^\s,]+", call.subprotocols)),
            origin=call.origin.strip(),
            token=next(known, None),
        )

    async def _fetch_token(self, call: calls.Token) -> None:
        if self._offers.token is None or call.user >= len(self._offers.token.users):
            raise Refusal("This recipe gives no such token.")
        request = self._offers.token.request(call.user)
        token = await fetch_token(call.url.strip(), request, self._allow_remote)
        header = f"Bearer {token}"
        if len(self._tokens) >= MOST_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        self._tokens[header] = request
        self.line.tell(TokenFetched(call.console, header))

    async def _ask(self, call: calls.Request) -> None:
        headers = calls.headers_of(call.headers)
        target = Target(call.url.strip(), headers)
        answer = await ask(
            call.method, target, call.body, call.form, self._allow_remote
        )
        self.line.tell(Answered(call.console, call.method, target.url, answer))

    def _copy(self, call: calls.Copy) -> None:
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
        self.line.tell(Copied(name, text, how))

    def _as_test(self, held: list[Exchange], port: int | None) -> str:
        app = self._apps.last_at(port or 80)
        if app is None:
            raise Refusal(
                "A test imports the app, and which one answered at that port is not "
                "known: it is no server of this page."
            )
        crashes = list(app.server.crashed) if app.server else []
        return as_test(held, app.module, app.settings, crashes=crashes)


def send(console: Console, call: calls.Send) -> None:
    """Send what a person has typed. Raises Refusal."""
    match call.kind:
        case "text":
            console.send(call.data)
        case "json":
            console.send(calls.json_of(call.data))
        case "binary":
            console.send(calls.bytes_of(call.data))
        case "ping":
            console.ping(call.data.encode())
        case "close":
            console.close(call.code, call.data)
        case "cut":
            console.cut()
