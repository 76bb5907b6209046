"""What is in the log, and what each client is sent of it."""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError


@dataclass(frozen=True)
class Draft:
    """What is to be added. The room's own words come from `system`, whom nobody is.

    `key` is the client's own, or empty. `token` is ours: what is added twice under one
    token, since the first answer did not come, is there once.
    """

    sender: str
    message: str
    client: str
    key: str = ""
    token: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True)
class Entry:
    """An entry of the log. `count` goes up by one from entry to entry."""

    id: str
    count: int
    draft: Draft

    @cached_property
    def for_others(self) -> str:
        """The frame for everybody but its client: encoded once, sent often."""
        return frame(self.draft.sender, self.draft.message, id=self.id)

    def for_client(self, client: str) -> str | None:
        """The frame for a client. None: one's own joins and leaves are no news."""
        if client != self.draft.client:
            return self.for_others
        if self.draft.sender == "system":
            return None
        return you(self.draft, id=self.id)


def frame(sender: str, message: str, **more: str) -> str:
    return json.dumps({"sender": sender, "message": message} | more, ensure_ascii=False)


def you(draft: Draft, **more: str) -> str:
    """What its own client is sent of a text."""
    return frame("You", draft.message, **with_key(draft), **more)


def not_delivered(draft: Draft) -> str:
    sentence = "Not delivered, try again"
    return frame("system", sentence, text=draft.message, **with_key(draft))


def with_key(draft: Draft) -> dict[str, str]:
    return {"key": draft.key} if draft.key else {}


MISSED = frame("system", "You missed messages that are no longer kept")
INTERRUPTED = frame("system", "Delivery is interrupted")
BACK = frame("system", "Delivery is back")


class Keyed(BaseModel):
    """A text under a key of its client's own."""

    model_config = ConfigDict(extra="forbid", strict=True)
    key: Annotated[str, Field(min_length=1, max_length=64)]
    message: str


def read(text: str, username: str, client: str) -> Draft:
    """What a client says with a text."""
    try:
        keyed = Keyed.model_validate_json(text)
    except ValidationError:
        return Draft(username, text, client)
    return Draft(username, keyed.message, client, keyed.key)


def order(id: str) -> tuple[int, int]:
    """The place of an id, `<ms>-<n>`. Raises ValueError if it is none."""
    if not re.fullmatch(r"[0-9]{1,20}-[0-9]{1,20}", id):
        raise ValueError("an id is <ms>-<n>")
    milliseconds, n = id.split("-")
    return int(milliseconds), int(n)
