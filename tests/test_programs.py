"""What a text tells to run, and nothing else, is run from the page."""

import asyncio
import re

import pytest

from recipes.workbench import catalog
from recipes.workbench.page import render
from recipes.workbench.programs import program as programs
from recipes.workbench.programs.commands import TEXTS, commands, understood
from recipes.workbench.programs.program import Program
from recipes.workbench.servers.apps import apps
from tests.helpers.pages import Live, Started, copy_of_the_workbook

RECIPE = "r07_oauth2"


@pytest.mark.parametrize("recipe", catalog.recipes())
def test_every_command_is_understood(recipe: str) -> None:
    """Servers are those of cards, and programs and their modules are there."""
    for text in TEXTS:
        for command in commands(recipe, text):
            if command.kind == "server":
                assert command.app in apps(recipe)
            elif command.arguments[1:2] and command.arguments[1] != "pytest":
                module = command.arguments[1].replace(".", "/")
                assert (catalog.ROOT / f"{module}.py").is_file()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("uvicorn recipes.r07_oauth2.main:app --ws-max-size 65536", "server"),
        ("TOKEN_SECONDS=2 uvicorn recipes.r07_oauth2.main:app", "server"),
        ("python -m recipes.r07_oauth2.client", "program"),
        ("pytest -q recipes/r07_oauth2/example_test.py", "program"),
        ("websockets ws://127.0.0.1:8000/ws", "socket"),
        # These are another server than a card's, or nothing of this recipe.
        ("uvicorn recipes.r07_oauth2.main:app --workers 2", "terminal"),
        ("uvicorn recipes.r07_oauth2.main:app --reload", "terminal"),
        ("uvicorn recipes.r07_oauth2.main:app --port 8001", "terminal"),
        ("uvicorn recipes.r01_setup.main:app", "terminal"),
        ("python -m recipes.r01_setup.client", "terminal"),
        ("python -m recipes.r07_oauth2.client; rm -r /", "terminal"),
        ("python -c pass", "terminal"),
        ("JWT_SECRET=short python -m uvicorn recipes.r07_oauth2.main:app", "terminal"),
        ("redis-server", "terminal"),
        ("touch recipes/r03_disconnects/main.py", "terminal"),
    ],
)
def test_kinds(line: str, kind: str) -> None:
    assert understood(RECIPE, line, "main").kind == kind


def test_what_is_for_a_server_of_the_terminal_is_for_the_terminal() -> None:
    """Behind nginx, or with workers, a card's server would tell something else."""
    kinds = {c.line: c.kind for c in commands("r09_production", "README.md")}
    assert kinds["python -m recipes.r09_production.client"] == "terminal"
    kinds = {c.line: c.kind for c in commands("r08_scale_out", "README.md")}
    assert kinds["python -m recipes.r08_scale_out.client_crowd"] == "terminal"
    # The next server of a text is a card's again.
    kinds = {c.line: c.kind for c in commands("r07_oauth2", "README.md")}
    assert set(kinds.values()) >= {"server", "program", "terminal"}


def test_the_address_is_put_in() -> None:
    client = understood(RECIPE, "python -m recipes.r07_oauth2.client", "main")
    assert client.at("127.0.0.1:9")[1:] == ["recipes.r07_oauth2.client", "127.0.0.1:9"]
    line = "python -m recipes.r07_oauth2.attack_guesses 127.0.0.1:8000"
    assert understood(RECIPE, line, "main").at("127.0.0.1:9")[2:] == ["127.0.0.1:9"]
    tool = understood(
        "r06_benchmarking", "python -m recipes.r06_benchmarking.compare --app main", ""
    )
    assert not tool.talks


def test_excerpts_begin_at_the_margin() -> None:
    html = render.text("recipes/r03_disconnects/more.md")
    first_words = re.findall(r'<pre class="code" tabindex="0"><code>(.)', html)
    assert first_words
    assert " " not in first_words


def ended(*arguments: str, **bounds: float) -> Program:
    """A program that was run to its end."""

    async def run() -> Program:
        program = Program(arguments, lambda: None)
        async with asyncio.timeout(30):
            await program.run()
        return program

    with pytest.MonkeyPatch.context() as patch:
        for name, value in bounds.items():
            patch.setattr(programs, name, value)
        return asyncio.run(run())


def test_what_it_prints_and_how_it_ends() -> None:
    program = ended(
        "-c", "import sys; print('one\\ntwo'); print('oh', file=sys.stderr)"
    )
    assert program.log.since(0).items == ["one", "two", "oh"]
    assert program.state == "ended"
    assert ended("-c", "exit(3)").state == "ended with exit status 3"


def test_what_it_prints_is_bounded() -> None:
    program = ended(
        "-c", "print(100_000 * 'x', end=''); [print(n) for n in range(5000)]"
    )
    piece = program.log.since(0)
    assert len(piece.items) == programs.MOST_LINES
    assert piece.items[-1] == "4999"
    assert piece.left_out > 3_000
    assert max(map(len, piece.items)) < programs.LONGEST_LINE + 100


def test_its_time_is_bounded() -> None:
    program = ended("-c", "import time; time.sleep(60)", MOST_SECONDS=0.2)
    assert program.state.startswith("ended by force after")


@pytest.mark.slow
def test_a_page_names_commands_and_cannot_make_any(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    started = Started(copy_of_the_workbook(tmp_path_factory.mktemp("programs")))
    try:
        with started.page("r01_setup") as live:
            names_and_numbers(live)
    finally:
        assert "Traceback" not in started.interrupt()
        started.end()


def names_and_numbers(live: Live) -> None:
    every = commands("r01_setup", "README.md")
    client = next(n for n, c in enumerate(every) if c.kind == "program")
    server = next(n for n, c in enumerate(every) if c.kind == "server")
    line = every[client].line
    for n, shown, sentence in [
        (999, line, "The text has changed: reload the page."),
        (server, line, "The text has changed: reload the page."),
        (server, every[server].line, "That one is for a terminal."),
        (client, line, "Nobody is there yet: start the server demo_no_close first."),
    ]:
        live.call("run", text="README.md", n=n, line=shown)
        assert live.news("refused")["sentence"] == sentence
    live.call("halt", text="README.md", n=client)
    assert live.news("refused")["sentence"] == "It does not run any more."
    for values in (
        {"text": "../README.md"},
        {"n": -1},
        {"arguments": ["-c", "pass"]},
    ):
        live.call("run", **{"text": "README.md", "n": client, "line": line} | values)
        assert live.news("trouble")["sentence"].startswith("Not understood: ")
    port = live.start("demo_no_close")["port"]
    live.call("run", text="README.md", n=client, line=line)
    told = live.news("printed")["lines"]
    assert told[0].startswith(f"--- 127.0.0.1:8000 is 127.0.0.1:{port} here")
    live.news("program", lambda news: news["state"] == "ended")
