"""Where a console connects, and whether it may."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from recipes.workbench.refusal import Refusal

# A header's name and value, RFC 9110 §5.1 and §5.5.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# What the handshake itself sets.
ITS_OWN = {"host", "connection", "upgrade", "origin"}


@dataclass(frozen=True)
class TokenRequest:
    """How the token in `Authorization` was fetched: a form, posted to the server."""

    path: str
    form: dict[str, str]


@dataclass(frozen=True)
class Target:
    """Where to connect, and with what."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    origin: str = ""
    token: TokenRequest | None = None


def checked(
    target: Target, allow_remote: bool, schemes: tuple[str, str] = ("ws", "wss")
) -> Target:
    """The target, if it can be connected to.

    Raises Refusal: the address is none, has none of the `schemes`, is not on this
    machine, or a header cannot be sent. A host's name other than `localhost` counts as
    remote, wherever it leads.
    """
    try:
        parts = urlsplit(target.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refusal(f"{target.url} is not an address.", "url") from None
    if parts.scheme not in schemes or not host or port == 0:
        begin = "// or ".join(f"{scheme}:" for scheme in schemes)
        raise Refusal(f"An address begins with {begin}//, then host and port.", "url")
    if parts.fragment or "#" in target.url:
        raise Refusal("An address of a WebSocket has no # (RFC 6455 §3).", "url")
    if not target.url.isprintable() or " " in target.url or "\\" in target.url:
        raise Refusal(
            "An address holds no spaces and no backslash: write %20 or %5C.", "url"
        )
    if not allow_remote and not on_this_machine(host):
        raise Refusal(
            f"{host} is not on this machine. The console connects to 127.0.0.1 and "
            "localhost alone, unless you start the page with --allow-remote.",
            "url",
        )
    for name, value in target.headers:
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            raise Refusal(
                f"The header {name!r} cannot be sent with that value.", "headers"
            )
        if name.lower() in ITS_OWN or name.lower().startswith("sec-websocket-"):
            where = "its own field" if name.lower() == "origin" else "the handshake"
            raise Refusal(f"The header {name} is set by {where}.", "headers")
    if not HEADER_VALUE.fullmatch(target.origin):
        raise Refusal("That Origin cannot be sent.", "origin")
    for protocol in target.subprotocols:
        if not HEADER_NAME.fullmatch(protocol):
            raise Refusal(f"{protocol!r} is not a subprotocol's name.", "subprotocols")
    return target


def on_this_machine(host: str) -> bool:
    """Whether a host is this machine for sure, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
