"""The reports on a class, written into a folder: for people, spreadsheets, programs."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from recipes.workbench import catalog
from recipes.workbench.exercises.judge import Verdict
from recipes.workbench.grading.grade import Grade, versions
from recipes.workbench.grading.isolation import FORGED, PROTECTS
from recipes.workbench.visible import visible

HIDDEN = "A hidden test of the instructor's."
# The tasks that most have failed, in the report.
MOST_FAILED = 10


def write(
    grades: Sequence[Grade], recipes: list[str], isolation: str, out: Path
) -> None:
    """Write all reports on a class into the folder `out`."""
    names = list(dict.fromkeys(grade.name for grade in grades))
    (out / "results.json").write_text(results(grades, isolation), encoding="utf-8")
    with (out / "grades.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows(grades, names, recipes))
    suites = ElementTree.ElementTree(suites_of(grades, isolation))
    suites.write(out / "report.xml", encoding="utf-8", xml_declaration=True)
    (out / "report.html").write_text(
        page(grades, names, recipes, isolation), encoding="utf-8"
    )


def results(grades: Sequence[Grade], isolation: str) -> str:
    """What programs read; names are there as they are."""
    told: list[dict[str, Any]] = []
    for grade in grades:
        tasks = {v.task.name: task_told(v) for v in grade.verdicts}
        hidden = {v.task.name: {"passed": v.passed} for v in grade.hidden}
        told.append(
            {
                "name": grade.name,
                "recipe": grade.recipe,
                "tasks": {**tasks, **hidden},
                "points": grade.points,
                "of": grade.most,
                "differs": grade.differs,
                "isolation": isolation,
                "versions": versions(),
            }
        )
    return json.dumps(told, indent=1) + "\n"


def task_told(verdict: Verdict) -> dict[str, Any]:
    told: dict[str, Any] = {"passed": verdict.passed, "level": verdict.task.level}
    return told if verdict.passed else {**told, "failure": verdict.failure}


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    shown = visible(text, keep="")
    # Looked for in the text itself, too: a tab is shown as two characters.
    return f"'{shown}" if text[:1] in {*"=+-@\t\r"} else shown


def rows(
    grades: Sequence[Grade], names: list[str], recipes: list[str]
) -> list[list[str | int]]:
    """A row for each name, with points for each recipe and in all; and the head."""
    found = {(grade.name, grade.recipe): grade for grade in grades}
    head: list[str | int] = ["name", *recipes, "points", "of"]
    table = [head]
    for name in names:
        theirs = [found[name, recipe] for recipe in recipes]
        points = [grade.points for grade in theirs]
        table.append(
            [cell(name), *points, sum(points), sum(grade.most for grade in theirs)]
        )
    return table


def suites_of(grades: Sequence[Grade], isolation: str) -> ElementTree.Element:
    """JUnit's form: a suite for each name and recipe, a case for each task."""
    top = ElementTree.Element("testsuites")
    for grade in grades:
        suite = ElementTree.SubElement(
            top,
            "testsuite",
            name=f"{visible(grade.name, keep='')}: {grade.recipe}",
            tests=str(grade.total),
            failures=str(grade.total - grade.passed),
            errors="0",
            skipped="0",
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in {"isolation": isolation, **versions()}.items():
            ElementTree.SubElement(properties, "property", name=name, value=value)
        for verdict in (*grade.verdicts, *grade.hidden):
            case = ElementTree.SubElement(
                suite, "testcase", classname=grade.recipe, name=verdict.task.name
            )
            if not verdict.passed:
                said = HIDDEN if verdict in grade.hidden else visible(verdict.failure)
                failure = ElementTree.SubElement(
                    case, "failure", message=verdict.task.title
                )
                failure.text = said
    return top


def page(
    grades: Sequence[Grade], names: list[str], recipes: list[str], isolation: str
) -> str:
    """One page that holds all, and runs nothing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True
    )
    environment.filters["visible"] = visible
    failed: Counter[tuple[str, str]] = Counter()
    for grade in grades:
        for verdict in grade.verdicts:
            failed[grade.recipe, verdict.task.title] += not verdict.passed
    return environment.get_template("report.html").render(
        found={(grade.name, grade.recipe): grade for grade in grades},
        names=names,
        recipes=recipes,
        titles={recipe: catalog.title(recipe) for recipe in recipes},
        most_failed=[each for each in failed.most_common(MOST_FAILED) if each[1]],
        isolation=isolation,
        protects=f"{PROTECTS[isolation]} {FORGED}",
        versions=versions(),
        hidden=HIDDEN,
    )
