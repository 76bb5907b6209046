"""The programs of all texts: which run, and at whose server."""

from collections.abc import Callable

from recipes.workbench.desk import Work
from recipes.workbench.programs.commands import TEXTS_ADDRESS, Command, commands
from recipes.workbench.programs.program import Program
from recipes.workbench.refusal import Refusal
from recipes.workbench.servers.apps import App, Apps

MOST_PROGRAMS = 4


class Programs:
    """What was run last of each command of each text, for all pages."""

    def __init__(
        self,
        apps: Apps,
        changed: Callable[[], None],
        spawn: Callable[[Work], object],
    ) -> None:
        self._apps, self._changed, self._spawn = apps, changed, spawn
        # The last run of each, and the how manieth it was.
        self._runs: dict[tuple[str, str, int], tuple[int, Program]] = {}

    def of(self, recipe: str) -> dict[tuple[str, int], tuple[int, Program]]:
        """By text and number: the last run of each command, and the how manieth."""
        every = self._runs.items()
        return {(text, n): run for (whose, text, n), run in every if whose == recipe}

    def start(self, recipe: str, text: str, n: int, line: str) -> None:
        """Run the nth command of a text, which is this line.

        Raises Refusal: it is another one by now, or it cannot be run now.
        """
        command = dict(enumerate(commands(recipe, text))).get(n)
        if command is None or command.line != line:
            raise Refusal("The text has changed: reload the page.")
        if command.kind != "program":
            raise Refusal("That one is for a terminal.")
        before, last = self._runs.get((recipe, text, n), (0, None))
        if last and last.running:
            raise Refusal("It runs already.")
        if sum(run.running for _, run in self._runs.values()) >= MOST_PROGRAMS:
            raise Refusal(f"{MOST_PROGRAMS} programs run already. Stop one first.")
        arguments = list(command.arguments)
        note = ""
        if command.talks:
            server = self._server(recipe, command)
            address = f"127.0.0.1:{server.port}"
            arguments = command.at(address)
            note = f"{TEXTS_ADDRESS} is {address} here, where {server.name} runs"
        program = Program(arguments, self._changed)
        self._runs[recipe, text, n] = before + 1, program
        if note:
            program.say(f"--- {note}")
        self._spawn(program.run())
        self._changed()  # it may print nothing for long

    def _server(self, recipe: str, command: Command) -> App:
        """Who is meant: the text's last server, or else any one that runs."""
        running = [app for app in self._apps.of(recipe) if app.state == "running"]
        for app in running:
            if app.name == command.app:
                return app
        if running:
            return running[0]
        name = command.app or "main"
        raise Refusal(f"Nobody is there yet: start the server {name} first.")

    def stop(self, recipe: str, text: str, n: int) -> Work:
        """Stop what runs of a command. Raises Refusal: nothing does."""
        _, run = self._runs.get((recipe, text, n), (0, None))
        if run is None or not run.running:
            raise Refusal("It does not run any more.")
        return run.stop()

    def kill(self) -> None:
        """End all at once; for the end of the workbench."""
        for _, run in self._runs.values():
            run.kill()
