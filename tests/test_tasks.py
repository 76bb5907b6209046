"""`tasks.toml`: how it is read, how it is tied to tests, and what symptoms say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.workbench import catalog
from recipes.workbench.refusal import Refusal
from recipes.workbench.tasks import Tasks, read, tasks
from tests.helpers.pages import Started, copy_of_the_workbook, run

RECIPE = "r01_setup"
TASK = """
[[task]]
test = "test_greets_by_name"
title = "A client is greeted"
hints = ["a nudge", "the answer"]
"""
SYMPTOM = """
[[symptom]]
task = "test_greets_by_name"
seen = "Hello, [A-Z]"
say = "It says Welcome, not Hello."
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `tasks.toml` of a recipe that has nothing else."""
    monkeypatch.setattr(catalog, "RECIPES", tmp_path)
    (tmp_path / "r09_new").mkdir()
    return tmp_path / "r09_new" / "tasks.toml"


def test_what_is_read(file: Path) -> None:
    # With the mark that editors on Windows put before a text.
    file.write_text(TASK + SYMPTOM, encoding="utf-8-sig")
    (task,) = tasks("r09_new")
    assert (task.name, task.title) == ("test_greets_by_name", "A client is greeted")
    assert (task.level, task.hints) == ("core", ["a nudge", "the answer"])
    (symptom,) = read("r09_new").symptom
    assert symptom.say == "It says Welcome, not Hello."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[task", "r09_new/tasks.toml: "),
        ("", "r09_new/tasks.toml, task: Field required."),
        ("task = []", "r09_new/tasks.toml, task: List should have at least 1"),
        (TASK + "more = 1", "r09_new/tasks.toml, task.1.more: Extra inputs"),
        (TASK + "level = 'hard'", "task.1.level: Input should be 'core', 'more' or"),
        (TASK.replace('"a nudge"', "5"), "task.1.hints.1: Input should be a valid str"),
        (TASK.replace("test_greets", "greets"), "task.1.test: String should match"),
        (TASK + TASK, "r09_new/tasks.toml: test_greets_by_name is named by two tasks."),
        (TASK + SYMPTOM.replace("[A-Z]", "[A-Z"), "symptom.1.seen: Input should be a"),
        (
            TASK + SYMPTOM.replace("by_name", "by_nobody"),
            "tasks.toml: a symptom is of test_greets_by_nobody, which is no task.",
        ),
    ],
)
def test_what_is_refused(text: str, said: str, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match=re.escape(said)) as refused:
        read("r09_new")
    assert "\n" not in str(refused.value)


def test_no_file(file: Path) -> None:
    with pytest.raises(Refusal, match=r"r09_new/tasks\.toml cannot be read: No such"):
        read("r09_new")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Refusal, match=r"^r09_new/tasks\.toml: 'utf-8' codec"):
        read("r09_new")


def test_the_first_symptom_that_is_seen() -> None:
    hints = {"title": "a title", "hints": ["a hint"]}
    every = Tasks.model_validate(
        {
            "task": [{"test": "test_one", **hints}, {"test": "test_two", **hints}],
            "symptom": [
                {"task": "test_two", "seen": "code 10\\d\\d", "say": "of two"},
                {"seen": "code 1006", "say": "of any"},
                {"seen": "code", "say": "later"},
            ],
        }
    )
    one, two = every.task
    assert every.hint_for(one, "the end: code 1006") == "of any"
    assert every.hint_for(two, "the end:\ncode 1006") == "of two"
    assert every.hint_for(two, "code 42") == "later"
    assert every.hint_for(two, "no end") is None


# With pytest, in a copy of the workbook


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_workbook(tmp_path_factory.mktemp("tasks"))


@pytest.fixture
def told(workbook: Path) -> Path:
    """The `tasks.toml` of recipe 1 in the copy, as it is in the workbook."""
    there = workbook / "recipes" / RECIPE / "tasks.toml"
    there.write_bytes((catalog.RECIPES / RECIPE / "tasks.toml").read_bytes())
    return there


def run_pytest(
    workbook: Path, *options: str, recipe: str = RECIPE, **environment: str
) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"tests/test_{recipe}.py", *options],
        cwd=workbook,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    assert "Traceback" not in done.stdout
    assert "INTERNALERROR" not in done.stdout
    return done.returncode, done.stdout


@pytest.mark.slow
def test_a_symptom_is_told_before_the_hints(workbook: Path, told: Path) -> None:
    answer = workbook / "recipes" / RECIPE / "exercise.py"
    without, _, _ = told.read_text(encoding="utf-8").partition("[[symptom]]")
    told.write_text(without, encoding="utf-8")
    status, said = run_pytest(workbook, "--mine")
    assert (status, said.count("Hint: ")) == (1, 1)
    assert "Hint: The name is the parameter" in said
    with told.open("a", encoding="utf-8") as more:
        more.write(
            "\n[[symptom]]\nseen = 'expected: .Welcome, Ada'\nsay = 'Seen it.'\n"
        )
    assert "Hint: Seen it.\n" in run_pytest(workbook, "--mine")[1]
    assert "Hint: Seen it.\n" in run(workbook, "check", "r01")[1]
    # And before what the failure itself tells.
    starter = answer.read_bytes()
    answer.write_text("from fastapi import FastAPI\napp = FastAPI()\n", "utf-8")
    said = run_pytest(workbook, "--mine")[1]
    assert "Hint: Is there a WebSocket route" in said
    with told.open("a", encoding="utf-8") as more:
        more.write("[[symptom]]\nseen = 'refused with HTTP 403'\nsay = 'No route.'\n")
    assert "Hint: No route.\n" in run_pytest(workbook, "--mine")[1]
    answer.write_bytes(starter)


@pytest.mark.parametrize("options", [(), ("--mine",)], ids=["", "--mine"])
def test_a_task_without_a_test(
    workbook: Path, told: Path, options: tuple[str, ...]
) -> None:
    with told.open("a", encoding="utf-8") as more:
        more.write(TASK.replace("by_name", "by_nobody"))
    status, said = run_pytest(workbook, *options)
    assert status == 4
    assert (
        "ERROR: r01_setup/tasks.toml names test_greets_by_nobody, but there is no such "
        "test in test_r01_setup.py." in said
    )
    assert "names test_greets_by_nobody" in run(workbook, "check", "r01")[1]


@pytest.mark.parametrize("options", [(), ("--mine",)], ids=["", "--mine"])
def test_a_task_with_parameters(
    workbook: Path, told: Path, options: tuple[str, ...]
) -> None:
    suite = workbook / "tests" / f"test_{RECIPE}.py"
    source = suite.read_text(encoding="utf-8")
    suite.write_text(
        source.replace(
            "def test_says_bye(client: Client)",
            '@pytest.mark.parametrize("n", [1, 2])\n'
            "def test_says_bye(client: Client, n: int)",
        ),
        encoding="utf-8",
    )
    status, said = run_pytest(workbook, *options)
    suite.write_text(source, encoding="utf-8")
    assert status == 4
    assert "ERROR: test_r01_setup.py: test_says_bye is a task, and has para" in said


@pytest.mark.slow
def test_a_file_that_is_not_as_it_should_be(workbook: Path, told: Path) -> None:
    told.write_text(TASK + "levels = 'core'", encoding="utf-8")
    sentence = "r01_setup/tasks.toml, task.1.levels: Extra inputs are not permitted."
    for options in ((), ("--mine",)):
        status, said = run_pytest(workbook, *options)
        assert (status, said.count(f"ERROR: {sentence}")) == (4, 1)
    for command in ("check", "hint"):
        assert run(workbook, command, "r01") == (1, f"{sentence}\n")
    (workbook / "recipes" / RECIPE / "exercise.py").write_text("begun", "utf-8")
    status, said = run(workbook, "progress")
    assert status == 0
    assert f"r01_setup            {sentence}" in said
    assert "r02_send_receive     not begun" in said
    started = Started(workbook)
    try:
        with started.page(RECIPE) as live:
            live.news("exercise", lambda news: news["trouble"] == sentence)
            live.call("check")
            live.call("hint", task="test_greets_by_name", n=1)
            assert live.news("trouble")["sentence"] == sentence
        with started.page("") as live:
            first = live.news("progress", lambda news: news["recipe"] == RECIPE)
            assert (first["state"], first["total"]) == (sentence, 0)
            live.news("judging", lambda news: news["sentence"] == "")
        # Mended, it is read when the page is opened again.
        told.write_text(TASK, encoding="utf-8")
        with started.page(RECIPE) as live:
            news = live.news("exercise", lambda news: news["tasks"])
            assert news["trouble"] == ""
        assert "Traceback" not in started.interrupt()
    finally:
        started.end()


# A recipe that is broken


def judged_on_the_page(started: Started, recipe: str) -> list[str]:
    """The failure of each task, as an open page is told after `Check now`."""
    with started.page(recipe) as live:
        live.call("check")
        live.news("exercise", lambda news: news["judging"])
        news = live.news("exercise", lambda news: not news["judging"])
        return [task["failure"] for task in news["tasks"]]


@pytest.mark.slow
def test_a_syntax_error_in_a_recipe(workbook: Path) -> None:
    recipe = "r07_oauth2"
    module = workbook / "recipes" / recipe / "tokens.py"
    sound = module.read_bytes()
    module.write_text("def tokens()\n    pass\n", encoding="utf-8")
    sentence = "SyntaxError in tokens.py on line 1: expected ':'"
    status, said = run(workbook, "check", recipe)
    assert status == 1
    assert f"exercise.py cannot be loaded: {sentence}" in said
    assert "Traceback" not in said
    # The suite can be collected, and its tests fail one by one.
    status, said = run_pytest(workbook, "--mine", recipe=recipe)
    assert (status, f"exercise.py cannot be loaded: {sentence}" in said) == (1, True)
    assert run_pytest(workbook, "--collect-only", "-q", recipe=recipe)[0] == 0
    started = Started(workbook)
    try:
        failures = judged_on_the_page(started, recipe)
        assert len(failures) == len(tasks(recipe))
        assert all(sentence in failure for failure in failures)
        with started.page(recipe) as live:
            assert (
                f"main cannot be loaded: {sentence}" in live.start("main")["sentence"]
            )
        assert "Traceback" not in started.interrupt()
    finally:
        started.end()
        module.write_bytes(sound)


@pytest.mark.slow
def test_a_secret_that_is_too_short(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends whoever imports recipe 7; the servers are not given it."""
    monkeypatch.setenv("JWT_SECRET", "short")
    recipe = "r07_oauth2"
    status, said = run(workbook, "check", recipe)
    assert (status, said.count("  failed  ")) == (1, len(tasks(recipe)))
    assert "Traceback" not in said
    assert "JWT_SECRET is too short" not in said
    assert run_pytest(workbook, "--collect-only", "-q", recipe=recipe)[0] == 0
    started = Started(workbook)
    try:
        assert len(judged_on_the_page(started, recipe)) == len(tasks(recipe))
        with started.page(recipe) as live:
            assert live.start("main")["state"] == "running"
            live.call("stop", app="main")
            live.state("main", "stopped")
            told = live.start("main", "JWT_SECRET=short")
            assert "it was loaded: JWT_SECRET is too short: " in told["sentence"]
        # The page still stands.
        assert started.get("/").status_code == 200
        assert "Traceback" not in started.interrupt()
    finally:
        started.end()
