"""Texts are true: code is quoted, commands run, output is what they print.

In a recipe's text, README.md or more.md, a `python` block is a run of lines of one of
its files or of its test suite. A `console` block is run: lines after `$ ` are commands,
lines after `> ` are typed into the last one, the others are its output, `...` stands
for any lines. A server runs until the next one starts. `redis-server` starts a Redis of
the test's own, which 127.0.0.1:6379 is from there on. `nginx` starts one of the test's
own, which 127.0.0.1:8000 is from there on, before the servers at 8001 and 8002. A
`console` block without a command is what the server's terminal showed, and `^C` in it
stops the server. A client that waits to be typed to, shown by a last line `>`, goes on
running; the block that begins with `>` is what it printed then. Ports are the system's;
the text says 8000.
"""

import contextlib
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from recipes.workbench import catalog
from recipes.workbench.judging.redis_server import Missing, RedisServer
from recipes.workbench.page import render
from tests.helpers.nginx import Nginx, free_port

markdown_it = pytest.importorskip(
    "markdown_it", reason="READMEs are checked with tests/requirements.txt installed"
)

READMES = [
    text
    for recipe in catalog.recipes()
    for text in sorted((catalog.RECIPES / recipe).glob("*.md"))
]
EVERY = [catalog.ROOT / name for name in render.TEXTS.values()] + READMES
# Seconds for a command, and for a server to say what it should.
BOUND = 20.0

# As in `SEND_TIMEOUT=1 uvicorn …`.
SETTINGS = r"(?:[A-Z_]+=\S+ )*"


def name(text: Path) -> str:
    """How a text is called in the list of tests."""
    return text.relative_to(catalog.ROOT).with_suffix("").as_posix()


each_readme = pytest.mark.parametrize("readme", READMES, ids=name)
each_markdown = pytest.mark.parametrize("readme", EVERY, ids=name)


def blocks(readme: Path, kind: str) -> list[list[str]]:
    """The fenced blocks of a kind, each as its lines."""
    tokens = markdown_it.MarkdownIt().parse(readme.read_text(encoding="utf-8"))
    fences = (token for token in tokens if token.type == "fence")
    return [f.content.splitlines() for f in fences if f.info.split()[:1] == [kind]]


@each_readme
def test_quoted_code_exists(readme: Path) -> None:
    files = [*readme.parent.rglob("*.py"), catalog.tests(readme.parent.name)]
    texts = ["\n" + file.read_text(encoding="utf-8") for file in files]
    quotes = blocks(readme, "python")
    assert quotes, f"{readme}: no `python` block quotes the recipe's code"
    for quote in quotes:
        code = "\n" + "\n".join(quote) + "\n"
        assert any(code in text for text in texts), f"in no file:{code}"


@each_markdown
def test_blocks_are_of_a_known_kind(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    kinds = {"python", "console", "text", "mermaid"}
    tokens = markdown_it.MarkdownIt().parse(text)
    assert {token.info for token in tokens if token.type == "fence"} <= kinds
    # A block that nothing checks has a sentence before it that says what it is.
    for before in re.findall(r"(.*)\n\n```text\n", text):
        assert before.endswith(":"), before


@each_markdown
def test_links_lead_somewhere(readme: Path) -> None:
    text = re.sub(r"```.*?```", "", readme.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (readme.parent / path).resolve() if path else readme
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_no_text_is_left_out() -> None:
    """Each is checked here, and the page shows it."""
    there = set(catalog.ROOT.glob("*.md"))
    there |= set(catalog.RECIPES.rglob("*.md"))
    there |= set(catalog.TESTS.rglob("*.md"))
    assert there == set(EVERY)
    for text in EVERY:
        path = text.relative_to(catalog.ROOT).as_posix()
        assert render.place("", path), f"the page has no place for {path}"


def test_root_readme_can_be_read_to_its_end() -> None:
    assert len((catalog.ROOT / "README.md").read_text("utf-8").splitlines()) <= 130


def anchors(file: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    lines = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", lines, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.slow
@each_readme
def test_commands_print_what_is_shown(readme: Path) -> None:
    with contextlib.ExitStack() as stack:
        server: Program | None = None
        waiting: Program | None = None
        redis: str | None = None
        nginx: Nginx | None = None
        ports = {port: free_port() for port in (8000, 8001, 8002)}
        for lines in blocks(readme, "console"):
            if lines[0] == ">":
                assert waiting is not None
                waiting.shows(lines[1:])
                waiting.ends_here()
            elif not lines[0].startswith("$ "):
                assert server is not None
                server.shows(lines)
            for command, shown in commands(lines):
                # The Redis of a README is one of ours, whatever else the machine has.
                if redis is not None:
                    command = command.replace("127.0.0.1:6379", redis)
                if nginx is not None or " --port 800" in command:
                    command = re.sub(r"127\.0\.0\.1:800\d", at(ports), command)
                if command.startswith("nginx "):
                    if nginx is not None:
                        nginx.end()
                    file = catalog.ROOT / command.rpartition("$PWD/")[2].strip('"')
                    nginx = stack.enter_context(Nginx(file, ports, 8000))
                elif command == "redis-server":
                    redis = a_redis(stack)
                elif re.match(SETTINGS + "uvicorn ", command):
                    if server is not None:
                        server.end()
                    server = stack.enter_context(Program(*at_port(command, ports)))
                    server.await_address(shown)
                elif command.startswith("touch "):
                    (catalog.ROOT / command.removeprefix("touch ")).touch()
                elif shown[-1:] == [">"]:
                    address = f"127.0.0.1:{nginx.port}" if nginx else None
                    address = address or (server.address if server else None)
                    waiting = stack.enter_context(Program(command, address))
                    waiting.shows(shown[:-1])
                else:
                    address = f"127.0.0.1:{nginx.port}" if nginx else None
                    address = address or (server.address if server else None)
                    with Program(command, address) as program:
                        program.shows(shown)
                        program.ends_here()


def at(ports: Mapping[int, int]) -> Callable[[re.Match[str]], str]:
    """Puts an address of ours in the place of the text's."""
    return lambda text: f"127.0.0.1:{ports[int(text[0][-4:])]}"


def at_port(command: str, ports: Mapping[int, int]) -> tuple[str, None, str]:
    """A server's command at a port of ours, and the address that its text has."""
    wanted = re.search(r"--port (\d+)", command)
    if wanted is None:
        return command, None, "127.0.0.1:8000"
    command = command.replace(wanted[0], f"--port {ports[int(wanted[1])]}")
    return command, None, f"127.0.0.1:{wanted[1]}"


def a_redis(stack: contextlib.ExitStack) -> str:
    """Start a Redis; where it is."""
    try:
        return f"127.0.0.1:{stack.enter_context(RedisServer()).port}"
    except Missing as missing:
        pytest.skip(str(missing))


def commands(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The commands of a block, each with the lines below it."""
    starts = [n for n, line in enumerate(lines) if line.startswith("$ ")]
    for start, stop in zip(starts, [*starts, len(lines)][1:], strict=True):
        yield lines[start].removeprefix("$ "), lines[start + 1 : stop]


class Program:
    """A command of a README, running, and what it has printed so far.

    Args:
        address: of the server that it talks to.
        text: how the README writes the program's own address, if it has one.
    """

    def __init__(
        self, command: str, address: str | None = None, text: str = "127.0.0.1:8000"
    ) -> None:
        start = re.match(SETTINGS, command)
        assert start is not None
        settings = dict(pair.split("=") for pair in start[0].split())
        name, *arguments = shlex.split(command[start.end() :])
        self.address, self.text = address, text
        if name != "python":
            arguments = ["-m", name, *arguments]
        if re.search(r"\.(client|demo|attack)\w*$", command) and address:
            arguments.append("127.0.0.1:8000")
        if address:
            arguments = [a.replace("127.0.0.1:8000", address) for a in arguments]
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=catalog.ROOT,
            # uvicorn takes its options from such variables too.
            env=os.environ | settings | {"UVICORN_PORT": "0", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.command = command
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.read: list[str] = []
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def next_line(self) -> str | None:
        """The next line that the program prints, or None at its end."""
        while (line := self._take()) is not None:
            if match := re.search(r"running on http://(127\.0\.0\.1:\d+)", line):
                self.address = match[1]
            line = plain(line, self.address, self.text)
            if says_something(line):
                self.read.append(line)
                return line
        self.lines.put(None)
        return None

    def _take(self) -> str | None:
        try:
            return self.lines.get(timeout=BOUND)
        except queue.Empty:
            so_far = "\n".join([self.command, *self.read])
            pytest.fail(f"Nothing more for {BOUND:.0f} s after:\n{so_far}")

    def await_address(self, shown: list[str]) -> None:
        """Read up to where uvicorn says where it serves, and to the lines `shown`."""
        wanted = Counter(line for line in shown if line != "...")
        while self.address is None or not wanted <= Counter(self.read):
            assert self.next_line() is not None, "\n".join(self.read)

    def shows(self, shown: list[str]) -> None:
        """Check that these lines come next; type those that are to be typed."""
        anything = False
        for line in shown:
            if line == "...":
                anything = True
            elif line.startswith("> "):
                assert self.process.stdin is not None
                self.process.stdin.write(line[2:] + "\n")
                self.process.stdin.flush()
            elif line == "^C":
                self.interrupt()
            elif says_something(line):
                wanted = plain(line, None)
                came = self.next_line()
                while anything and came is not None and came != wanted:
                    came = self.next_line()
                assert came == wanted, "\n".join([self.command, *self.read])
                anything = False
        self.anything = anything

    def ends_here(self) -> None:
        """Check that nothing more is printed, unless the README says `...`."""
        self.process.stdin.close()  # type: ignore[union-attr]
        while (line := self.next_line()) is not None:
            assert self.anything, f"more than is shown: {line}"
        self.process.wait(timeout=BOUND)

    def interrupt(self) -> None:
        """Ctrl-C."""
        if sys.platform != "win32":
            self.process.send_signal(signal.SIGINT)
        else:
            self.process.terminate()

    def end(self) -> None:
        """Stop, and do not leave before the process has."""
        if self.process.poll() is None:
            self.interrupt()
            try:
                self.process.wait(timeout=BOUND)
            except subprocess.TimeoutExpired:
                # With its workers, which would hold its output open.
                for worker in psutil.Process(self.process.pid).children(recursive=True):
                    worker.kill()
                self.process.kill()
        self.process.wait(timeout=BOUND)
        self.thread.join(timeout=BOUND)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *args: object) -> None:
        self.end()


def says_something(line: str) -> bool:
    """Not empty, nor what points into the line above: that differs between Pythons."""
    return re.fullmatch(r"[ ^~]*", line) is None


def plain(line: str, address: str | None, text: str = "127.0.0.1:8000") -> str:
    """A line without what differs from run to run: ports, ids, colours, folders."""
    line = re.sub(r"\x1b(\[[\d;]*[A-Za-z]|[78])", "", line).strip("\r\n")
    # The terminal client's prompt.
    line = re.sub(r"^(> ?)+|\r", "", line)
    if address:
        line = line.replace(address, text)
    line = re.sub(r"127\.0\.0\.1:\d{5}\b", "127.0.0.1:54321", line)
    line = re.sub(r"process \[\d+\]", "process [12345]", line)
    line = line.replace(str(catalog.ROOT) + os.sep, "").replace("\\", "/")
    return line.rstrip()
