"""What keeps an answer's server from the rest of the machine.

    bwrap   bubblewrap: a file system with little in it, that nobody can write to, no
            network, no other processes. Linux.
    user    a user of the system for each judging. Linux, as root.
    none    nothing. For answers of people whom you trust.

Which of them works is not guessed but tried, with a server's own command.
"""

import os
import random
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import psutil

from recipes.workbench import catalog
from recipes.workbench.grading.limits import LIMITS, MOST_PROCESSES, TMP
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers import limits
from recipes.workbench.servers.launcher import Launcher
from recipes.workbench.visible import visible

# Numbers that Linux leaves to services for users who are there for a moment.
USERS = range(61_184, 65_520)
# The system's programs and libraries, which are no secret.
SYSTEM = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"]
UNSHARE = [
    *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns"),
    *("--die-with-parent", "--new-session"),
]
# As root: give each pair of folders a second place, then become another user. So a
# Python that lies where only root can go is reached, and nothing else there.
BECOME = """
set -e
user=$1
shift
while [ "$1" != -- ]; do
    mount --bind "$1" "$2"
    shift 2
done
shift
exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
"""
TRIED = "import os, uvicorn; print('works', os.path.exists({secret!r}))"

PROTECTS = {
    "bwrap": "An answer sees the system's programs, Python, and its own copy of the "
    "recipes, and can write to nothing but a /tmp of its own.",
    "user": "An answer cannot read or change what its user may not. It can reach the "
    "network and read what everybody on this machine can read.",
    "none": "An answer can read, change and send whatever you can. Time and memory "
    "are limited; nothing else protects you.",
}
# True of all of them.
FORGED = (
    "In each, an answer shares a process with the server that serves it: it can forge "
    "its own log and its own crashes, and not what a client sees."
)
UBUNTU = """\
Ubuntu forbids bubblewrap to make namespaces, unless a profile allows it. As root, put
this into /etc/apparmor.d/bwrap and run `apparmor_parser -r /etc/apparmor.d/bwrap`:

    abi <abi/4.0>,
    include <tunables/global>
    profile bwrap /usr/bin/bwrap flags=(unconfined) {
      userns,
    }
"""


class Isolation(NamedTuple):
    """A way to run servers that works here.

    Attributes:
        name: bwrap, user or none.
        users: the numbers that judgings take turns with; empty: all are this user's.
        hidden: folders that no answer may see.
        mounts: where root puts Python's folders for another user to read.
    """

    name: str
    users: tuple[int, ...] = ()
    hidden: tuple[Path, ...] = ()
    mounts: Mapping[Path, Path] = MappingProxyType({})

    def launcher(self, stage: Path, user: int | None) -> Launcher:
        """How the servers of a judging are started, on its stage."""
        most = dict(LIMITS)
        if self.name != "none":
            most["NPROC"] = MOST_PROCESSES
        home = "/tmp" if self.name == "bwrap" else str(stage)
        environment = {
            "HOME": home,
            "TMPDIR": home,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(stage),
            "PYTHONDONTWRITEBYTECODE": "1",
            limits.VARIABLE: limits.told(most),
        }
        if self.name == "none":
            environment |= {
                k: os.environ[k] for k in ("HOME", "PATH") if k in os.environ
            }
        if self.name == "bwrap" and site.ENABLE_USER_SITE:
            environment["PYTHONUSERBASE"] = site.getuserbase()
        prefix = self.prefix(stage, user) if self.name == "bwrap" else []
        drops = user if self.name == "user" else None
        return Launcher(prefix, python(), str(stage), environment, drops)

    def prefix(self, stage: Path, user: int | None) -> list[str]:
        """The command that runs what stands behind it in an isolation of its own."""
        become: list[str] = []
        if user is not None:
            become = ["unshare", "--mount", "--propagation", "private"]
            become += ["sh", "-c", BECOME, "sh", str(user)]
            for source, place in self.mounts.items():
                become += [str(source), str(place)]
            become.append("--")
        steps: dict[Path, list[str]] = {
            Path("/tmp"): ["--size", str(TMP), "--tmpfs", "/tmp"]
        }
        for name in SYSTEM:
            if os.path.exists(name):
                steps[Path(name)] = ["--ro-bind", name, name]
        for place, source in pythons().items():
            seen = self.mounts.get(source, source) if user is not None else source
            steps[place] = ["--ro-bind", str(seen), str(place)]
        bound = [path for path in steps if path != Path("/tmp")]
        for folder in self.hidden:
            if any(folder.is_relative_to(path) for path in bound):
                steps.setdefault(folder, ["--tmpfs", str(folder)])
        steps[stage] = ["--ro-bind", str(stage), str(stage)]
        # What lies in another comes after it.
        inner = [
            word
            for path in sorted(steps, key=lambda path: len(path.parts))
            for word in steps[path]
        ]
        inner += ["--proc", "/proc", "--dev", "/dev"]
        inner += ["--remount-ro", "/dev", "--remount-ro", "/"]
        return [*become, *UNSHARE, *inner, "--chdir", str(stage), "--"]


def python() -> str:
    """This Python, at its resolved place: where it is in an isolation, too."""
    place = Path(sys.prefix).resolve() / Path(sys.executable).parent.name
    place /= Path(sys.executable).name
    return str(place) if place.exists() else sys.executable


def pythons() -> dict[Path, Path]:
    """Where Python's own folders must be seen, and which they are; not the system's."""
    names = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    if site.ENABLE_USER_SITE:
        names.add(site.getusersitepackages())
    found: dict[Path, Path] = {}
    for name in sorted(names):
        # `..` and links in a name lead elsewhere where little else is.
        source = Path(name).resolve()
        for place in (source, Path(os.path.abspath(name))):
            if not source.is_dir() or any(
                place.is_relative_to(each) for each in SYSTEM
            ):
                continue
            found[place] = source
    return found


def choose(
    wanted: str, stage: Path, kept: Sequence[Path], side_by_side: int, trust: bool
) -> Isolation:
    """The isolation that is `wanted`, if it works; with `auto` the best that does.

    Args:
        wanted: auto, bwrap, user or none.
        stage: a stage, to try it on.
        kept: folders that no answer may see, beside the workbook's.
        side_by_side: how many answers are judged at a time.
        trust: whether it may be none.

    Raises Refusal: it does not work here, or is none without trust.
    """
    why: list[str] = []
    for isolation in candidates(wanted, stage, kept, side_by_side):
        trouble = tried(isolation, stage)
        if not trouble:
            return isolation
        why.append(f"  {isolation.name}: {trouble}")
    if trust and wanted in {"auto", "none"}:
        return Isolation("none")
    if wanted == "none":
        raise Refusal(f"Isolation none is refused without --trust. {PROTECTS['none']}")
    if sys.platform == "linux":
        if restricted_by_ubuntu():
            why.append("\n" + UBUNTU)
        if not shutil.which("bwrap"):
            why.append("  Install the package bubblewrap: apt-get install bubblewrap")
    else:
        why.append(
            "  Isolation is there on Linux alone: grade in a container, as "
            "tests/README.md shows."
        )
    raise Refusal(
        "\n".join(
            [
                f"No isolation works here (--isolation {wanted}):",
                *why,
                "With --trust answers are run without. " + PROTECTS["none"],
            ]
        )
    )


def candidates(
    wanted: str, stage: Path, kept: Sequence[Path], side_by_side: int
) -> Iterator[Isolation]:
    """What is worth a try here, the best first."""
    if sys.platform != "linux":
        return
    ours = (".git", "recipes", "solutions", "tests", "notebooks")
    every = [*kept, *(catalog.ROOT / name for name in ours)]
    hidden = tuple(folder.resolve() for folder in every if folder.is_dir())
    root = os.geteuid() == 0
    if wanted in {"auto", "bwrap"}:
        if root:
            # Root itself may have any number of processes, so it is somebody else.
            mounts = {
                source: mount_point(stage.parent, number)
                for number, source in enumerate({*pythons().values()})
            }
            yield Isolation("bwrap", free_users(side_by_side), hidden, mounts)
        yield Isolation("bwrap", hidden=hidden)
    if wanted in {"auto", "user"} and root:
        yield Isolation("user", free_users(side_by_side), hidden)


def mount_point(folder: Path, number: int) -> Path:
    place = folder / f"python{number}"
    place.mkdir(exist_ok=True)
    return place


def free_users(wanted: int) -> tuple[int, ...]:
    """Numbers of users that are nobody's and run nothing now."""
    import pwd

    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for process in psutil.process_iter(["uids"]):
        if process.info["uids"]:
            taken.add(process.info["uids"].real)
    free = [number for number in USERS if number not in taken]
    # Another grader may look for some in the same moment.
    return tuple(random.sample(free, wanted))


def tried(isolation: Isolation, stage: Path) -> str:
    """Why an isolation does not work here; empty if it does."""
    user = isolation.users[0] if isolation.users else None
    launcher = isolation.launcher(stage, user)
    if user is not None:
        os.chown(stage, 0, user)
        stage.chmod(0o750)
    secret = str(catalog.TESTS / "test_r01_setup.py")
    code = TRIED.format(secret=secret)
    try:
        done = subprocess.run(
            [*launcher.prefix, launcher.python, "-c", code],
            cwd=stage,
            env=launcher.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            user=launcher.user,
            group=launcher.user,
            extra_groups=None if launcher.user is None else [],
        )
    except (OSError, subprocess.SubprocessError) as error:
        return visible(str(error), keep="")
    if "works" not in done.stdout:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return visible(said[-1], keep="")[:300]
    if "True" in done.stdout and isolation.name == "bwrap":
        return f"it does not hide {secret}"
    return ""


def restricted_by_ubuntu() -> bool:
    """Whether AppArmor keeps ordinary programs from making namespaces of users."""
    try:
        name = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
        return Path(name).read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False
