"""What a console offers to try: addresses, and the messages worth sending there.

The sockets are the app's own routes. What to send is told by `console.toml` in the
recipe's folder, if there is one:

    [[offer]]
    path = "/ws/{name}"             the route, as the app declares it
    try = "/ws/Ada"                 the path to connect to; without it, `path`
    title = "greets Ada"
    apps = ["exercise"]             without it, every app that has the route
    send = ["Hello!", {hex = "00ff"}, {close = 4001, reason = "had enough"}]
    headers = {Authorization = "Bearer x"}
    subprotocols = ["chat.v1"]
    origin = "http://evil.example"  {address} in it is the server's own
    token = true                    fetch one first, as [token] says

    [[page]]
    path = "/chatroom/{username}"   a page with parameters, as the app declares it
    try = "/chatroom/ada"           what to open instead

    [token]
    path = "/token"
    users = [{username = "johndoe", password = "secret"}]
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from recipes.workbench import catalog
from recipes.workbench.consoles.target import TokenRequest
from recipes.workbench.refusal import Refusal
from recipes.workbench.toml import read_toml


class Binary(BaseModel):
    """A binary message, in hexadecimal digits."""

    model_config = ConfigDict(extra="forbid")
    hex: str


class Close(BaseModel):
    """A close frame."""

    model_config = ConfigDict(extra="forbid")
    close: int
    reason: str = ""


class Offer(BaseModel):
    """Something to try."""

    model_config = ConfigDict(extra="forbid")
    path: str
    to: str = Field("", alias="try")
    title: str = ""
    apps: list[str] | None = None
    send: list[str | Binary | Close] = []
    headers: dict[str, str] = {}
    subprotocols: list[str] = []
    origin: str = ""
    token: bool = False


class PageOffer(BaseModel):
    """A page with parameters: what to put in for them."""

    model_config = ConfigDict(extra="forbid")
    path: str
    to: str = Field(alias="try")


class TokenOffer(BaseModel):
    """Where the recipe's server gives tokens, and to whom."""

    model_config = ConfigDict(extra="forbid")
    path: str
    users: list[dict[str, str]]

    def request(self, n: int = 0) -> TokenRequest:
        return TokenRequest(self.path, self.users[n])


class Offers(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")
    offer: list[Offer] = []
    page: list[PageOffer] = []
    token: TokenOffer | None = None


def offers(recipe: str) -> Offers:
    """What a recipe's `console.toml` says; nothing if there is none.

    Raises Refusal: it is not as it should be.
    """
    file = catalog.RECIPES / recipe / "console.toml"
    return read_toml(file, Offers) if file.is_file() else Offers()


@dataclass
class OfferShown:
    """Something to try, with the address and the Origin for a running server."""

    url: str
    path: str
    title: str
    send: list[str | Binary | Close]
    headers: dict[str, str]
    subprotocols: list[str]
    origin: str
    token: bool


def for_app(
    every: Iterable[Offer], app: str, port: int, routes: Iterable[tuple[str, str]]
) -> list[OfferShown]:
    """What to try at a running app.

    Each of its sockets is offered, also one of which `console.toml` does not know.
    """
    found = []
    for kind, path in routes:
        if kind != "websocket":
            continue
        mine = [o for o in every if o.path == path and (not o.apps or app in o.apps)]
        for offer in mine or [Offer.model_validate({"path": path})]:
            to, address = offer.to or path, f"127.0.0.1:{port}"
            shown = OfferShown(
                f"ws://{address}{to}",
                to,
                offer.title,
                offer.send,
                offer.headers,
                offer.subprotocols,
                offer.origin.replace("{address}", address),
                offer.token,
            )
            found.append(shown)
    return found


def pages(every: Iterable[PageOffer], routes: Iterable[tuple[str, str]]) -> list[str]:
    """The paths of a running app's pages, with something put in for parameters."""
    known = {page.path: page.to for page in every}
    return [known.get(path, path) for kind, path in routes if kind == "page"]


def users(recipe: str) -> list[str]:
    """The names of those for whom a token can be fetched."""
    try:
        token = offers(recipe).token
    except Refusal:  # whoever opens the page is told why
        return []
    return [user.get("username", "?") for user in token.users] if token else []
