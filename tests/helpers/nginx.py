"""nginx for tests: a given file, with other ports, in a folder of its own."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest

BOUND = 10.0
MISSING = "this is tested where the package nginx is installed"


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Nginx:
    """nginx as an ordinary user, until the `with` ends.

    Args:
        given: its file.
        ports: for each 127.0.0.1:port of the file, where that is here.
        front: the one of them that it listens on.
        beside: what lies in the folder of `-p`.
    """

    def __init__(
        self, given: Path, ports: Mapping[int, int], front: int, beside: Any = ()
    ) -> None:
        program = shutil.which("nginx")
        if program is None:
            pytest.skip(MISSING)
        text = given.read_text(encoding="utf-8")
        for old, new in ports.items():
            assert (
                text.count(f"127.0.0.1:{old};") + text.count(f"127.0.0.1:{old} ") == 1
            )
            text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
        self.port = ports[front]
        self._base = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        base = Path(self._base.name)
        (base / given.name).write_text(text, encoding="utf-8")
        folder = base / "folder"
        folder.mkdir()
        for file in beside:
            shutil.copy(file, folder)
        who: dict[str, Any] = {}
        if sys.platform != "win32" and os.geteuid() == 0:
            import pwd  # not on Windows

            _, _, user, group, *_ = pwd.getpwnam("nobody")
            who = {"user": user, "group": group, "extra_groups": []}
            base.chmod(0o755)
            for each in (folder, *folder.iterdir()):
                os.chown(each, user, group)
        command = [program, "-e", "stderr", "-p", str(folder)]
        self.log = base / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "-c", str(base / given.name)], stderr=log, **who
            )
        deadline = time.monotonic() + BOUND
        while not self._listens():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), BOUND).close()
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Stop it, and wait for its end."""
        self.process.terminate()
        try:
            self.process.wait(BOUND)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(BOUND)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()
        self._base.cleanup()
