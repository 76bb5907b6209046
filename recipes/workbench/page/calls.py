"""Every call that a page can make: its own, and those of the desks."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from recipes.workbench.consoles.calls import ConsolesCall
from recipes.workbench.desk import Call
from recipes.workbench.exercises.desk import ExerciseCall
from recipes.workbench.programs.desk import ProgramsCall
from recipes.workbench.servers.desk import ServersCall


class Open(Call):
    """The page shows a recipe, or the contents with none."""

    do: Literal["open"]
    recipe: str


Calls = Open | ServersCall | ConsolesCall | ProgramsCall | ExerciseCall
AnyCall = TypeAdapter[Calls](Annotated[Calls, Field(discriminator="do")])
