"""A plain HTTP request from a console: for tickets, tokens, and lists of rooms."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode

import httpx2

from recipes.workbench.consoles.target import Target, checked
from recipes.workbench.consoles.wire import why_no_answer
from recipes.workbench.refusal import Refusal

# Seconds and bytes of an answer.
TIMEOUT = 10.0
LONGEST = 64 * 2**10
TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


@dataclass
class Answer:
    """An answer: its status line, its headers, its body, and the seconds it took."""

    status: str
    headers: list[tuple[str, str]]
    body: str
    left_out: bool
    took: float


async def ask(
    method: str,
    target: Target,
    body: str,
    form: Literal["json", "form"],
    allow_remote: bool,
) -> Answer:
    """Ask a server, and follow no redirect: it might lead to another machine.

    Args:
        method: GET, which sends no body, or POST.
        target: its address, which begins with http:// or https://, and its headers.
        body: JSON, or a form as `name=value&name=value` or in lines.
        form: which of the two it is.
        allow_remote: whether the server may be on another machine.

    Raises Refusal: it may not be asked, the body is not so, or nobody answers.
    """
    checked(target, allow_remote, ("http", "https"))
    headers = list(target.headers)
    content = None
    if method == "POST":
        content = body_of(body, form)
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", TYPES[form]))
    # A small answer may unpack to a large one.
    headers.append(("Accept-Encoding", "identity"))
    began, data = time.monotonic(), b""
    try:
        async with (
            # Of the whole: the client's own bound begins anew with each byte.
            asyncio.timeout(TIMEOUT),
            httpx2.AsyncClient(trust_env=False) as client,
            client.stream(
                method, target.url, content=content, headers=headers
            ) as answer,
        ):
            async for piece in answer.aiter_raw():
                data += piece
                if len(data) > LONGEST:
                    break
    except TimeoutError:
        raise Refusal(f"No whole answer in {TIMEOUT:.0f} s.", "url") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Refusal(why_no_answer(error, target.url), "url") from None
    return Answer(
        f"{answer.status_code} {answer.reason_phrase}".strip(),
        [(n.decode("latin-1"), v.decode("latin-1")) for n, v in answer.headers.raw],
        data[:LONGEST].decode(errors="replace"),
        len(data) > LONGEST,
        round(time.monotonic() - began, 3),
    )


def body_of(text: str, form: Literal["json", "form"]) -> bytes:
    """The bytes of a body that a person wrote. Raises Refusal."""
    if form == "json":
        try:
            json.loads(text or "null")
        except (ValueError, RecursionError) as error:
            raise Refusal(f"The body is no JSON: {error}.", "body") from None
        return text.encode()
    pairs = parse_qsl("&".join(text.split("\n")), keep_blank_values=True)
    if text.strip() and not pairs:
        raise Refusal("A form is written name=value, one in a line or with &.", "body")
    return urlencode(pairs).encode()
