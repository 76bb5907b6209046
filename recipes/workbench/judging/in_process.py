"""TestClient itself, with bounded receives and a wait for the handler's end."""

import logging
import threading
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Self

from starlette.testclient import TestClient, WebSocketTestSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recipes.workbench.judging.session import PATIENCE, Client, NothingCame, Session
from recipes.workbench.servers.server import Crash


class InProcessClient(TestClient, Client):  # type: ignore[misc]
    """TestClient on the app of a module; entered with `with`, for one event loop."""

    def __init__(self, module: ModuleType) -> None:
        self._crashes: list[Crash] = []
        # As on a server: a crash in a handler does not reach the client's code.
        super().__init__(self._collecting(module.app), raise_server_exceptions=False)
        self._begin()
        self._records = _Records()

    def _collecting(self, app: ASGIApp) -> ASGIApp:
        # Not at the top: it brings FastAPI, and judging does without TestClient.
        from recipes.workbench.servers.child import leaves

        async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except Exception as error:
                for leaf in leaves(error):
                    trace = "".join(traceback.format_exception(leaf))
                    crash = Crash(type(leaf).__name__, str(leaf), None, trace)
                    self._crashes.append(crash)
                raise

        return wrapper

    def __enter__(self) -> Self:
        self._records.attach()
        return super().__enter__()

    def __exit__(self, *args: Any) -> None:
        self._records.detach()
        super().__exit__(*args)

    @property
    def log(self) -> list[tuple[str, str]]:
        return self._records.lines

    @property
    def crashes(self) -> list[Crash]:
        return self._crashes

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> "InProcessSession":
        given = dict(options.get("headers") or {})  # TestClient adds its own to them
        plain = super().websocket_connect(url, subprotocols, **options)
        return InProcessSession(self, url, plain, given)


class _Records(logging.Handler):
    """Collects what is logged to `uvicorn`, which nobody configures here."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []
        self.logger = logging.getLogger("uvicorn")

    def attach(self) -> None:
        self.level_before = self.logger.level
        self.logger.setLevel(logging.INFO)
        self.logger.addHandler(self)

    def detach(self) -> None:
        self.logger.removeHandler(self)
        self.logger.setLevel(self.level_before)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "uvicorn":
            self.lines.append((record.levelname, record.getMessage()))


class InProcessSession(Session):
    """TestClient's session, with bounded receives and a wait for the handler's end."""

    def __init__(
        self,
        client: Client,
        url: str,
        plain: WebSocketTestSession,
        headers: Mapping[str, str],
    ) -> None:
        Session.__init__(self, client, url)
        self.headers = headers
        WebSocketTestSession.__init__(
            self, self._ending(plain.app), plain.scope, plain.portal_factory
        )
        self.over = threading.Event()

    def _ending(self, app: ASGIApp) -> ASGIApp:
        """The app, which says 1006 when it ends without a close, as a server does."""

        async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
            closed = False

            async def noting(message: Message) -> None:
                nonlocal closed
                closed = closed or message["type"] in {
                    "websocket.close",
                    "websocket.http.response.start",
                }
                await send(message)

            try:
                await app(scope, receive, noting)
            except Exception:
                pass  # the client has collected it
            finally:
                self.over.set()
            if not closed:
                await send({"type": "websocket.close", "code": 1006, "reason": ""})

        return wrapper

    def __enter__(self) -> Self:
        self.note_connect(self.headers)
        return super().__enter__()

    def __exit__(self, *args: Any) -> bool | None:
        if args[0] is not None:
            self.note_failure()
        self.close()
        # TestClient would cancel the handler now, and hide one that never ends.
        if not self.over.wait(PATIENCE):
            self.client.stuck.append((self.url, ""))
        return super().__exit__(*args)

    def send(self, message: Message) -> None:
        if message["type"] == "websocket.receive":
            self.note_message("client:", message)
        super().send(message)

    def receive(self) -> Message:
        future = self.portal.start_task_soon(self._send_rx.receive)
        try:
            message = future.result(timeout=PATIENCE)
        except TimeoutError:
            future.cancel()
            raise NothingCame(self) from None
        self.note_message("server:", message)
        return message
