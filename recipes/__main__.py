"""`python -m recipes`: the page with everything, and the commands of the terminal."""

import sys

try:
    from recipes.workbench.cli import app
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed for {sys.executable}. Activate the virtual "
        "environment of README.md, or: pip install -r requirements.txt"
    )

app(prog_name="python -m recipes")
