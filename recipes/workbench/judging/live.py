"""TestClient's calls against a uvicorn in a child process."""

from collections.abc import Sequence
from typing import Any

from recipes.workbench.judging.bounded import BoundedTransport
from recipes.workbench.judging.live_session import LiveSession, Patience, Served
from recipes.workbench.judging.raw import RawSession
from recipes.workbench.judging.session import PATIENCE
from recipes.workbench.servers.server import AppServer, Crash, StoodStill


class LiveClient(Served):
    """TestClient's calls against a server in a child process."""

    def __init__(self, server: AppServer, patience: Patience | None = None) -> None:
        # Creating the certificate store would take longer than most of the tests.
        address = f"http://127.0.0.1:{server.port}"
        super().__init__(
            base_url=address,
            trust_env=False,
            transport=BoundedTransport(address),
            timeout=PATIENCE,
        )
        self.server = server
        self.patience = patience or Patience()
        self.since = server.count()
        self._crashes: list[Crash] = []
        self._seen = 0

    @property
    def log(self) -> list[tuple[str, str]]:
        return self.server.log(self.since)

    @property
    def crashes(self) -> list[Crash]:
        new = self.server.crashes(self.since)[self._seen :]
        self._seen += len(new)
        self._crashes += new
        return self._crashes

    def stood_still(self) -> list[StoodStill]:
        """When the app's own code held its event loop in this test."""
        return self.server.stood_still(self.since)

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> LiveSession:
        return LiveSession(self, url, subprotocols, **options)

    def raw(self, url: str, window: int | None = None) -> RawSession:
        return RawSession(self, url, window)

    def terminate(self) -> None:
        """Have the server get a SIGTERM; what it does then is not waited for."""
        self.server.terminate()

    def shut_down(self) -> bool:
        """Stop the server as Ctrl-C does; whether it ended by itself in time."""
        return self.server.stop()
