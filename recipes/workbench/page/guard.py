"""Who may use the page: itself alone, since it starts programs.

Every request and every socket must name this server as its Host, since a foreign name
that leads here is DNS rebinding; one that comes from a page must come from its own
(Origin): anything else is cross-site WebSocket hijacking. And each call of the page
carries the token of this run.
"""

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # Nothing but what this server serves: no inline script, no remote asset, no frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; connect-src 'self' ws://{host}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets in what was meant for this server and, from a page, sent by its own."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        if port == 80:
            self.hosts |= {"127.0.0.1", "localhost"}

    def why_not(self, scope: Scope) -> str:
        """What is wrong with a request; nothing if it may pass."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return "This server is for its own address only."
        own = [f"http://{hosts[0].lower()}"]
        if origins != own and (origins or scope["type"] == "websocket"):
            return "This server is for its own pages only."
        return ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
        elif sentence := self.why_not(scope):
            # For a socket this is the denial of its handshake.
            await PlainTextResponse(sentence, 403)(scope, receive, send)
        else:
            host = Headers(scope=scope)["host"]
            await self.app(scope, receive, with_headers(send, host))


def with_headers(send: Send, host: str) -> Send:
    """Adds the security headers to an answer."""

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value.replace("{host}", host)
        await send(message)

    return adding
