"""A login for a console: it fetches the token that a socket wants to see."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx2

from recipes.workbench.consoles.target import Target, TokenRequest, checked
from recipes.workbench.consoles.wire import why_no_answer
from recipes.workbench.refusal import Refusal

# Seconds and bytes of the answer to a login.
TIMEOUT = 10.0
LONGEST = 64 * 2**10


async def fetch_token(url: str, request: TokenRequest, allow_remote: bool) -> str:
    """Log in at the server of a socket's address, and return the access token.

    Raises Refusal: the address is not allowed, or the answer is no token.
    """
    checked(Target(url), allow_remote)
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "wss" else "http"
    address = f"{scheme}://{parts.netloc}{request.path}"
    body = b""
    try:
        async with (
            # Of the whole: the client's own bound begins anew with each byte.
            asyncio.timeout(TIMEOUT),
            httpx2.AsyncClient(trust_env=False) as client,
            client.stream(
                "POST",
                address,
                data=request.form,
                # A small answer may unpack to a large one.
                headers={"Accept-Encoding": "identity"},
            ) as answer,
        ):
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > LONGEST:
                    raise Refusal(f"The answer from {address} is too long for a token.")
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = why_no_answer(error, address)
        raise Refusal(f"No answer from {address}. {why}") from None
    try:
        token = json.loads(body)["access_token"] if answer.status_code == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str):
        said = body[:200].decode(errors="replace")
        raise Refusal(f"POST {request.path}: HTTP {answer.status_code}, {said}")
    return token
