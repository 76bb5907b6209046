"""Nothing that an answer started outlives its judging, however it was started."""

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
# All that one may end. In a shell, since everybody can run that.
ENDS_ALL = ["/bin/sh", "-c", "kill -9 -1"]
# Where everybody may leave files.
PUBLIC = ("/tmp", "/var/tmp", "/dev/shm")


class Leftovers:
    """Our children are ours; on Linux what lost its parent becomes one, and is ended.

    Attributes:
        lock: held while a child of ours is started, until it is in `ours`.
        ours: the numbers of the children that are to live.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ours: set[int] = set()
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def sweep(self) -> None:
        """End the children that are not ours, and forget those that have ended."""
        if sys.platform != "linux":
            return
        with self.lock:
            for child in psutil.Process().children():
                if child.pid in self.ours:
                    continue
                for each in [*child.children(recursive=True), child]:
                    with contextlib.suppress(psutil.Error):
                        each.kill()
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child.pid, 0)

    def end_user(self, user: int) -> None:
        """End all that a user runs, and take away what it left where everybody may."""
        if sys.platform == "win32":
            return
        with self.lock:
            process = subprocess.Popen(
                ENDS_ALL,
                user=user,
                group=user,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.ours.add(process.pid)
        process.wait()
        self.ours.discard(process.pid)
        for name in {*PUBLIC, tempfile.gettempdir()}:
            clear(Path(name), user)


def clear(folder: Path, user: int) -> None:
    """Remove the user's files and folders in a folder."""
    import shutil

    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid == user:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)
