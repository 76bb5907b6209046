"""`python -m recipes`: your progress, and the commands around the exercises."""

from recipes.workbench.cli import app

app(prog_name="python -m recipes")
