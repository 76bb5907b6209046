"""A program of a text, as a process of its own, and what it prints."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from recipes.workbench import catalog
from recipes.workbench.servers.server import PASSED_ON
from recipes.workbench.tail import Tail

# Bounds: lines kept and their length, seconds for the whole, seconds after Ctrl-C.
MOST_LINES = 1_000
LONGEST_LINE = 2_000
MOST_SECONDS = 600.0
STOP_SECONDS = 3.0

# It prints for a page, which is no terminal: as it comes, without colours.
FOR_A_PAGE = {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "100"}


class Program:
    """A run of `python ARGUMENTS`, in the workbook's folder.

    Attributes:
        state: running, or how it ended, in words.
        log: what it printed.
    """

    def __init__(self, arguments: Sequence[str], changed: Callable[[], None]) -> None:
        self.state = "running"
        self.log: Tail[str] = Tail(MOST_LINES)
        self._arguments = arguments
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopped = self._killed = False

    @property
    def running(self) -> bool:
        return self.state == "running"

    def say(self, line: str) -> None:
        """Add a line to what it printed."""
        if (more := len(line) - LONGEST_LINE) > 0:
            line = f"{line[:LONGEST_LINE]} … {more:,} more characters"
        self.log.add(line)
        self._changed()

    async def run(self) -> None:
        """Start it, and follow it to its end."""
        # As a server: a setting left in the learner's shell changes nothing here.
        environment = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                cwd=catalog.ROOT,
                env=environment | FOR_A_PAGE,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A group of its own, to be ended with all that it started.
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            self._end(f"could not be started: {error}")
            return
        if self._killed:  # while it was being started
            self.kill()
        try:
            async with asyncio.timeout(MOST_SECONDS):
                await self._follow(self._process)
        except TimeoutError:
            self._end(f"ended by force after {MOST_SECONDS:.0f} s")
        finally:
            self.kill()
        status = await self._process.wait()
        if self.running:
            how = "ended" if status == 0 else f"ended with exit status {status}"
            self._end("stopped" if self._stopped else how)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        # In pieces, since a line may be endless.
        while piece := await process.stdout.read(8_192):
            *whole, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n")
            for line in whole:
                self.say(line.decode(errors="replace"))
            if len(rest) > LONGEST_LINE * 4:
                self.say(rest.decode(errors="replace"))
                rest = b""
        if rest:
            self.say(rest.decode(errors="replace"))

    def _end(self, how: str) -> None:
        self.state = how
        self._changed()

    async def stop(self) -> None:
        """End it as Ctrl-C does; by force if that takes too long."""
        if self._process is None or not self.running:
            return
        self._stopped = True
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGINT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
        self.kill()

    def kill(self) -> None:
        """End it and what it started, at once."""
        self._killed = True
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
