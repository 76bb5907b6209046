"""What a console and a server said to each other: plain values, nothing that acts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from websockets.frames import CloseCode

from recipes.workbench.consoles.target import Target

# Frames of one exchange that are kept to be copied as a script; the first ones, since
# a conversation cannot be repeated without its beginning.
MOST_KEPT = 500
# Bytes of payload that are kept for that in all.
MOST_BYTES = 4 * 2**20


class Frame(NamedTuple):
    """A frame, as RFC 6455 §5.2 counts it: a message may be made of several.

    Attributes:
        at: when, in seconds of `time.monotonic()`.
        sent: True if the console sent it, False if it was received.
        kind: text, binary, continuation, ping, pong or close.
        data: the payload, after decompression.
        final: False if the message goes on in a continuation frame.
    """

    at: float
    sent: bool
    kind: str
    data: bytes
    final: bool = True


@dataclass(frozen=True)
class Refused:
    """The server answered the handshake with something else than 101."""

    status: int
    phrase: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Closed:
    """The connection is over.

    Attributes:
        by: who ended it: "server" or "client" (the console); for a cut line "client"
            if the console cut it, else "server".
        code: the code of the first close frame, 1005 if that held none, 1006 if
            there was no close frame.
        reason: the reason in that frame.
    """

    by: str
    code: int
    reason: str

    @property
    def name(self) -> str:
        """The code's name, `Policy Violation` for 1008 (RFC 6455 §7.4.1)."""
        return name_of(self.code)


@dataclass(frozen=True)
class Failed:
    """There was no answer to the handshake; the sentence says why."""

    sentence: str


@dataclass(frozen=True)
class Handshake:
    """A request for a WebSocket and the answer, as their lines went over the wire."""

    sent: str
    received: str


@dataclass
class Exchange:
    """One connection of one console, from its handshake to its end.

    Attributes:
        target: what was connected to.
        began: when the connection was opened (or refused), as `Frame.at`.
        frames: the first MOST_KEPT frames, or as many as MOST_BYTES hold.
        left_out: how many frames came after these.
        ended: when it ended, as `Frame.at`; 0 while it is open.
        end: how it ended; None while it is open.
        handshake: what was asked and answered; None until there is an answer.
    """

    target: Target
    began: float = 0.0
    frames: list[Frame] = field(default_factory=list)
    left_out: int = 0
    ended: float = 0.0
    end: Refused | Closed | Failed | None = None
    handshake: Handshake | None = None
    _bytes: int = 0

    def add(self, frame: Frame) -> None:
        """Keep the frame if there is room for it."""
        self._bytes += len(frame.data)
        room = len(self.frames) < MOST_KEPT and self._bytes <= MOST_BYTES
        # Without one of them what came later cannot be repeated either.
        if room and not self.left_out:
            self.frames.append(frame)
        else:
            self.left_out += 1


def conversation(chosen: Exchange, every: Iterable[Exchange]) -> list[Exchange]:
    """The exchanges that belong to one, in the order in which they began.

    Whoever was connected to the same server at the same time may have caused what it
    received; and so may those who were connected together with them.
    """
    held, others = [chosen], [e for e in every if e is not chosen]
    for one in held:  # grows while it is walked through
        held += [other for other in others if together(one, other)]
        others = [other for other in others if not together(one, other)]
    return sorted(held, key=lambda exchange: exchange.began)


def together(one: Exchange, other: Exchange) -> bool:
    """Whether two exchanges were held with one server, at the same time."""
    servers = {urlsplit(each.target.url).netloc for each in (one, other)}
    return (
        len(servers) == 1
        and one.began <= (other.ended or math.inf)
        and other.began <= (one.ended or math.inf)
    )


def name_of(code: int) -> str:
    """The name of a close code, from the registry's ranges if it has none itself."""
    try:
        return (
            CloseCode(code).name.replace("_", " ").title().replace("Rcvd", "Received")
        )
    except ValueError:
        if 3000 <= code < 4000:
            return "Registered"
        return "The Application's Own" if 4000 <= code < 5000 else "Unknown"
