"""`python -m recipes`: the page with everything, and the commands of the terminal."""

import sys

try:
    from recipes.workbench.cli import app
    from recipes.workbench.refusal import Refusal
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed for {sys.executable}. Activate the virtual "
        "environment of README.md, or: pip install -r requirements.txt"
    )

try:
    app(prog_name="python -m recipes")
except Refusal as refusal:
    sys.exit(str(refusal))
