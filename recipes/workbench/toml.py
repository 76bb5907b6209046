"""Read a recipe's data: a TOML file, checked against a Pydantic model."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from recipes.workbench.refusal import Refusal

Model = TypeVar("Model", bound=BaseModel)


def read_toml(file: Path, model: type[Model]) -> Model:
    """What a recipe's file says.

    Args:
        file: it lies in the recipe's folder.
        model: what it must be.

    Raises Refusal, a sentence with the place: it cannot be read, or is not so.
    """
    name = f"{file.parent.name}/{file.name}"
    try:
        # "-sig": editors on Windows may put a mark before the text.
        return model.model_validate(tomllib.loads(file.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        wrong = error.errors()[0]
        # Counted from 1, as a person counts.
        loc = (part + 1 if isinstance(part, int) else part for part in wrong["loc"])
        where = f", {'.'.join(map(str, loc))}" if wrong["loc"] else ""
        what = wrong["msg"].removeprefix("Value error, ")
        raise Refusal(f"{name}{where}: {what}.") from None
    except OSError as error:
        raise Refusal(f"{name} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Refusal(f"{name}: {error}.") from None
