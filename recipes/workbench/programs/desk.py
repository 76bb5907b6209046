"""The programs' desk: what a text tells to run is run, and shown with its output."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from recipes.workbench.desk import Call, Desk, Line, News
from recipes.workbench.programs.programs import Programs
from recipes.workbench.refusal import Refusal


class Run(Call):
    """Run a program: the `n`th command of a text of the recipe, from 0.

    `line` is what the page shows there; the text may have changed since.
    """

    do: Literal["run"]
    text: Literal["README.md", "more.md"]
    n: int = Field(ge=0, le=1_000)
    line: str = Field(max_length=1_000)


class Halt(Call):
    """Stop it."""

    do: Literal["halt"]
    text: Literal["README.md", "more.md"]
    n: int = Field(ge=0, le=1_000)


ProgramsCall = Run | Halt


@dataclass
class ProgramShown(News):
    """How a program is: running, or how it ended; `run` counts its runs."""

    text: str
    n: int
    run: int
    state: str
    tell: Literal["program"] = "program"


@dataclass
class ProgramRefused(News):
    """Why it is not run now, or not stopped."""

    text: str
    n: int
    sentence: str
    tell: Literal["refused"] = "refused"


@dataclass
class ProgramLines(News):
    """Lines that it printed, and how many before them are left out."""

    text: str
    n: int
    run: int
    lines: list[str]
    left_out: int
    tell: Literal["printed"] = "printed"


class ProgramsDesk(Desk):
    """Where a page asks for programs."""

    def __init__(self, line: Line, programs: Programs) -> None:
        super().__init__(line)
        self._programs = programs

    def take(self, call: ProgramsCall) -> None:
        try:
            if isinstance(call, Run):
                self._programs.start(self.recipe, call.text, call.n, call.line)
            else:
                self.line.in_background(
                    self._programs.stop(self.recipe, call.text, call.n)
                )
        except Refusal as refusal:
            self.line.tell(ProgramRefused(call.text, call.n, str(refusal)))

    def news(self) -> Iterator[News]:
        for (text, n), (run, program) in self._programs.of(self.recipe).items():
            key = f"{text} {n} {run}"
            state = program.state  # before the lines: its last ones are told with it
            piece = self.unread(key, program.log)
            if piece.items or piece.left_out:
                yield ProgramLines(text, n, run, piece.items, piece.left_out)
            yield from self.if_new(key, ProgramShown(text, n, run, state))
