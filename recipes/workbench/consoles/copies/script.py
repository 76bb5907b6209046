"""A script with the `websockets` client."""

import math
from collections.abc import Sequence
from urllib.parse import urlsplit

from recipes.workbench.consoles.copies.code import a_file, call, literal, shifted
from recipes.workbench.consoles.copies.form import Form, close_arguments, own_headers
from recipes.workbench.consoles.copies.steps import Step
from recipes.workbench.consoles.exchange import Closed, Exchange, Refused

# Seconds that a script may take, beside those that the conversation took.
PATIENCE = 20
# Characters of what came, in a comment.
SHOWN = 60

SCRIPT = """\
async def main() -> None:
{}


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(), {}))
    except ({}OSError, WebSocketException) as error:
        sys.exit(f"This time it went differently: {{error!r}}. Does the server run?")"""

SCRIPT_IMPORTS = """\
import asyncio
import sys
from contextlib import AsyncExitStack

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException"""

FETCH_TOKEN = '''\
async def fetch_token(url: str, form: dict[str, str]) -> str:
    """A fresh token, since the one that was used then may have expired."""
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(url, data=form)
    token: str = response.raise_for_status().json()["access_token"]
    return token'''

REFUSED = """\
try:
{}
except InvalidStatus as refusal:
    print({}"refused:", refusal.response)  # HTTP {}
else:
    raise WebSocketException("the server accepted the connection")"""


class Script(Form):
    """Steps as statements of an asyncio client."""

    stack = "async with AsyncExitStack() as stack:"

    def said(self, step: Step, name: str) -> str:
        label = f'"{name}:", ' if len(self.names) > 1 else ""
        match step.does, step.data:
            case "open", _:
                return self.opened(step.who, name)
            case "refused", Refused(status=status):
                return REFUSED.format(shifted(self.entered(step.who)), label, status)
            case "receive", data:
                return f"print({label}await {name}.recv())  # {literal(data)[:SHOWN]}"
            case "ping", data:
                return f"await (await {name}.ping({literal(data)}))  # for its pong"
            case "close", Closed() as end:
                return f"await {name}.close({close_arguments(end)})"
            case "cut", _:
                return f"{name}.transport.abort()  # the line is cut: no close frame"
            case "closed", Closed() as end:
                came = f'"closed with", {name}.close_code, {name}.close_reason'
                told = f"print({label}{came})  # {close_arguments(end)}"
                return f"await {name}.wait_closed()\n{told}"
        return f"await {name}.send({literal(step.data)})"

    def opened(self, who: int, name: str) -> str:
        if self.alone:
            tail = f") as {name}:" if name else "):"
            return call("async with connect(", self.arguments(who), tail)
        return f"{name} = {self.entered(who)}" if name else self.entered(who)

    def entered(self, who: int) -> str:
        connection = call("connect(", self.arguments(who))
        return call("await stack.enter_async_context(", [connection])

    def arguments(self, who: int) -> list[str]:
        target = self.exchanges[who].target
        arguments = [literal(target.url)]
        headers = [f"({literal(k)}, {literal(v)})" for k, v in own_headers(target)]
        if token := target.token:
            scheme, server, *_ = urlsplit(target.url)
            url = literal(f"{scheme.replace('ws', 'http')}://{server}{token.path}")
            fetched = f"await fetch_token({url}, {literal(token.form)})"
            headers.append(f'("Authorization", "Bearer " + {fetched})')
        if headers:
            arguments.append(f"additional_headers=[{', '.join(headers)}]")
        if target.subprotocols:
            arguments.append(f"subprotocols={literal(list(target.subprotocols))}")
        if target.origin:
            arguments.append(f"origin={literal(target.origin)}")
        # That many bytes in a message the client takes by default.
        if sum(len(frame.data) for frame in self.exchanges[who].frames) > 2**20:
            arguments.append("max_size=None")
        return [*arguments, "proxy=None"]


def as_python(exchanges: Sequence[Exchange]) -> str:
    """A script with the `websockets` client that holds the same conversation again.

    Its exit status is 0 if the server keeps up its side of it.
    """
    script = Script(exchanges)
    times = [step.at for step in script.steps]
    bound = PATIENCE + math.ceil(max(times) - min(times))
    http = "httpx.HTTPError, " if any(e.target.token for e in exchanges) else ""
    code = SCRIPT.format(script.body(), bound, http)
    title = "What was said in a console, said again to the running server."
    return a_file(title, SCRIPT_IMPORTS, FETCH_TOKEN, "", code)
