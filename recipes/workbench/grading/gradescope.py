"""Gradescope's `results.json` for one answer, as its autograder hands it over."""

import json
from collections.abc import Sequence
from typing import Any

from recipes.workbench.grading.grade import Grade
from recipes.workbench.grading.reports import HIDDEN


def results(grades: Sequence[Grade], isolation: str) -> str:
    """What stands at /autograder/results/results.json afterwards."""
    tests: list[dict[str, Any]] = []
    for grade in grades:
        for verdict in (*grade.verdicts, *grade.hidden):
            worth, hidden = verdict.task.worth, verdict in grade.hidden
            named = verdict.task.name if hidden else verdict.task.title
            tests.append(
                {
                    "name": f"{grade.recipe}: {named}",
                    "score": worth if verdict.passed else 0,
                    "max_score": worth,
                    "status": "passed" if verdict.passed else "failed",
                    "output": HIDDEN if hidden and verdict.failure else verdict.failure,
                    "output_format": "text",
                }
            )
    told = {
        "score": sum(test["score"] for test in tests),
        "output": f"Isolation: {isolation}.",
        "tests": tests,
    }
    return json.dumps(told, indent=1) + "\n"
