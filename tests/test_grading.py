"""A class that is graded: hostile answers among honest ones, and what is taken.

Each file of `hostile_answers/` says in its first line what it deserves: PASSES, FAILS,
or ENDS, where all that counts is that it does no harm.
"""

import csv
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from recipes.workbench import catalog
from recipes.workbench.grading.reports import cell
from recipes.workbench.grading.take import Answer, take
from recipes.workbench.refusal import Refusal
from recipes.workbench.visible import visible

RECIPE = "r01_setup"
HOSTILE = sorted((catalog.TESTS / "hostile_answers").glob("*.py"))
SLEEPS = "98765.4321"
needs_bwrap = pytest.mark.skipif(
    shutil.which("bwrap") is None or not catalog.SOLUTIONS.is_dir(),
    reason="this needs the package bubblewrap, and solutions/",
)


def put(folder: Path, name: str, code: str | bytes, recipe: str = RECIPE) -> Path:
    file = folder / name / recipe / "exercise.py"
    file.parent.mkdir(parents=True)
    file.write_bytes(code.encode() if isinstance(code, str) else code)
    return file


def reference() -> str:
    return catalog.solution(RECIPE).read_text(encoding="utf-8")


def grade(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recipes", "grade", *map(str, arguments)],
        cwd=catalog.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=150,
    )


def results(out: Path) -> dict[str, dict[str, bool]]:
    """For each name, which tasks are passed."""
    told = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {
        each["name"]: {t: v["passed"] for t, v in each["tasks"].items()}
        for each in told
    }


def state_of(*folders: Path) -> dict[str, str]:
    """What lies in some folders, with hashes; not what Python compiles."""
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


# Hostile answers


class Class(NamedTuple):
    said: str
    out: Path
    passed: dict[str, dict[str, bool]]
    harm: list[str]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """All hostile answers, and honest ones beside them, graded at once."""
    folder = tmp_path_factory.mktemp("class")
    out = tmp_path_factory.mktemp("out")
    mark = f"mark{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        for file in HOSTILE:
            code = file.read_text(encoding="utf-8")
            code = code.replace("WORKBOOK", str(catalog.ROOT)).replace("MARK", mark)
            code = code.replace("CLASS", str(folder)).replace("SLEEPS", SLEEPS)
            code = code.replace("PORT", str(listener.getsockname()[1]))
            put(folder, file.stem, code.replace("# THE REFERENCE", reference()))
        put(folder, "honest", reference() + "\n# honest\n")
        put(folder, "begun", catalog.starter(RECIPE).read_bytes())
        kept = (folder, catalog.TESTS, catalog.SOLUTIONS, catalog.RECIPES)
        before = state_of(*kept)
        done = grade(folder, "--out", out, "--only", "r01", "--isolation", "bwrap")
        harm = [
            name for name, was in state_of(*kept).items() if before.get(name) != was
        ]
        harm += [name for name in before if not Path(name).exists()]
        for place in ("/tmp", "/var/tmp", "/dev/shm"):
            harm += [f"{place}/{n}" for n in os.listdir(place) if n.startswith(mark)]
        for process in psutil.process_iter(["cmdline"]):
            if SLEEPS in (process.info["cmdline"] or []):
                harm.append(f"process {process.pid}")
                process.kill()
        try:
            listener.accept()[0].close()
            harm.append("a connection")
        except BlockingIOError:
            pass
    return Class(done.stdout, out, results(out) if not done.returncode else {}, harm)


@needs_bwrap
@pytest.mark.slow
@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.stem)
def test_each_gets_what_it_deserves(hostile: Class, file: Path) -> None:
    deserves = file.read_text(encoding="utf-8").split()[1].rstrip(".")
    passed = hostile.passed[file.stem]
    assert len(passed) == 2
    if deserves != "ENDS":
        assert all(passed.values()) == (deserves == "PASSES")
        assert any(passed.values()) == (deserves == "PASSES")


@needs_bwrap
@pytest.mark.slow
def test_no_harm_is_done(hostile: Class) -> None:
    assert hostile.harm == []
    assert all(hostile.passed["honest"].values())
    assert not any(hostile.passed["begun"].values())


@needs_bwrap
@pytest.mark.slow
def test_reports_are_safe_to_read(hostile: Class) -> None:
    for file in hostile.out.iterdir():
        text = file.read_text(encoding="utf-8-sig")
        assert visible(text, keep="\n\r") == text, file.name
    assert "Content-Security-Policy" in (hostile.out / "report.html").read_text()
    assert "<script" not in (hostile.out / "report.html").read_text()


# What is taken


NAMES = [
    *("ada", 'o\'neil "x"', "<b>&amp;<b>", "=1+1", "Zoë 🦄", "n" * 200, "a\x1b[2Jb"),
    *("{{ 7 * 7 }}", "[bold]x", "-rf", "%s"),
]


@needs_bwrap
@pytest.mark.slow
def test_names_reports_and_a_second_run(tmp_path: Path) -> None:
    folder, out = tmp_path / "a class", tmp_path / "the reports"
    for name in NAMES:
        put(folder, name, reference())
    first = grade(folder, "--out", out, "--only", "1")
    assert first.returncode == 0, first.stdout
    passed = results(out)
    assert set(passed) == set(NAMES)
    assert all(all(each.values()) for each in passed.values())
    # One judging for them all, and none the second time.
    known = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(known) == 1
    second = grade(folder, "--out", out, "--only", "1")
    assert (out / "results.jsonl").read_text(encoding="utf-8").splitlines() == known
    assert results(out) == passed, second.stdout
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["name", RECIPE, "points", "of"]
    assert ["'=1+1", "4", "4", "4"] in table
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<b>&amp;" not in page
    assert "&lt;b&gt;" in page
    assert "\x1b" not in page + first.stdout


@pytest.mark.parametrize("text", ["=a", "+1", "-1", "@x", "\tx"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text).startswith("'")
    assert cell("a" + text) == visible("a" + text, keep="")


def one(answers: list[Answer]) -> Answer:
    [answer] = answers
    return answer


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret" / RECIPE
    secret.mkdir(parents=True)
    (secret / "exercise.py").write_text("secret")
    folder = tmp_path / "class"
    (folder / "a" / RECIPE).mkdir(parents=True)
    (folder / "b").mkdir()
    try:
        (folder / "a" / RECIPE / "exercise.py").symlink_to(secret / "exercise.py")
        (folder / "b" / RECIPE).symlink_to(secret)
        (folder / "c").symlink_to(secret.parent)
        (folder / "d.zip").symlink_to(secret / "exercise.py")
    except OSError:
        pytest.skip("this system makes no links for this user")
    for answer in take(folder, [RECIPE]):
        assert answer.data is None
        assert "link" in answer.trouble


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    place = tmp_path / "a" / RECIPE
    place.mkdir(parents=True)
    os.mkfifo(place / "exercise.py")
    assert "no regular file" in one(take(tmp_path, [RECIPE])).trouble
    (place / "exercise.py").unlink()
    (place / "exercise.py").mkdir()
    assert "no regular file" in one(take(tmp_path, [RECIPE])).trouble


@pytest.mark.parametrize(("size", "taken"), [(2**20, True), (2**20 + 1, False)])
def test_size(tmp_path: Path, size: int, taken: bool) -> None:
    put(tmp_path / "class", "a", b"#" * size)
    assert (one(take(tmp_path / "class", [RECIPE])).data is not None) == taken
    (tmp_path / "zips").mkdir()
    with zipfile.ZipFile(tmp_path / "zips" / "a.zip", "w", 8) as archive:
        archive.writestr(f"{RECIPE}/exercise.py", b"#" * size)
    assert (one(take(tmp_path / "zips", [RECIPE])).data is not None) == taken


# Paths in a zip file, from which the answer is taken or not.
PATHS = {
    f"{RECIPE}/exercise.py": True,
    f"work/{RECIPE}/exercise.py": True,
    f"work\\{RECIPE}\\exercise.py": True,
    f"book/recipes/{RECIPE}/exercise.py": True,
    f"__MACOSX/{RECIPE}/exercise.py": False,
    f"/{RECIPE}/exercise.py": False,
    f"../{RECIPE}/exercise.py": False,
    f"book/solutions/{RECIPE}/exercise.py": False,
    f"{RECIPE}/other.py": False,
}


@pytest.mark.parametrize("path", PATHS)
def test_places_in_a_zip_file(tmp_path: Path, path: str) -> None:
    with zipfile.ZipFile(tmp_path / "Ada L.zip", "w") as archive:
        archive.writestr(path, b"app")
    answer = one(take(tmp_path, [RECIPE]))
    assert answer.name == "Ada L"
    assert (answer.data == b"app") == PATHS[path]


def test_a_link_in_a_zip_file(tmp_path: Path) -> None:
    info = zipfile.ZipInfo(f"{RECIPE}/exercise.py")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert one(take(tmp_path, [RECIPE])).data is None


def test_what_is_no_zip_file(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 no")
    assert "zip" in one(take(tmp_path, [RECIPE])).trouble


def test_a_whole_copy_of_the_workbook(tmp_path: Path) -> None:
    put(tmp_path / "ada", "recipes", b"app")
    assert one(take(tmp_path, [RECIPE])).data == b"app"


def test_one_answer_is_no_class(tmp_path: Path) -> None:
    put(tmp_path, ".", b"app")
    with pytest.raises(Refusal, match="one person"):
        take(tmp_path, [RECIPE])


def test_none_needs_trust(tmp_path: Path) -> None:
    put(tmp_path / "class", "ada", b"app")
    out = tmp_path / "out"
    done = grade(tmp_path / "class", "--out", out, "--isolation", "none")
    assert done.returncode == 1
    assert "--trust" in done.stdout
    assert not (out / "results.json").exists()


@needs_bwrap
@pytest.mark.slow
def test_gradescope_and_hidden_tests(tmp_path: Path) -> None:
    put(tmp_path, "one", reference())
    own = tmp_path / "own"
    (own / RECIPE).mkdir(parents=True)
    (own / f"test_{RECIPE}.py").write_text(
        "def test_secret_path(client):\n"
        "    with client.websocket_connect('/ws/Bob') as bob:\n"
        "        assert bob.receive_text() == 'the secret'\n"
    )
    (own / RECIPE / "tasks.toml").write_text(
        '[[task]]\ntest = "test_secret_path"\ntitle = "t"\nhints = ["the secret"]\n'
    )
    out = tmp_path / "out"
    done = grade(
        *(tmp_path / "one", "--out", out, "--only", "1", "--gradescope"),
        *("--hidden", own),
    )
    assert done.returncode == 0, done.stdout
    text = (out / "results.json").read_text(encoding="utf-8")
    told: dict[str, Any] = json.loads(text)
    assert told["score"] == 4
    assert [test["status"] for test in told["tests"]] == ["passed", "passed", "failed"]
    assert "test_secret_path" in text
    assert "the secret" not in text


# What tests/README.md tells a teacher to use


def told_block(first: str) -> str:
    """The block of the text that begins with a line."""
    text = (catalog.TESTS / "README.md").read_text(encoding="utf-8")
    found = [b for b in text.split("```text\n")[1:] if b.startswith(first)]
    [block] = found
    return block.partition("```")[0]


@needs_bwrap
@pytest.mark.slow
def test_run_autograder(tmp_path: Path) -> None:
    recipe = "r03_disconnects"
    put(tmp_path, "submission", catalog.solution(recipe).read_bytes(), recipe)
    (tmp_path / "source").symlink_to(catalog.ROOT)
    script = told_block("#!/usr/bin/env bash").replace("/autograder", str(tmp_path))
    # The Python of the tests stands for that of the container.
    script = script.replace("python3 ", f"'{sys.executable}' ")
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, encoding="utf-8", timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "results" / "results.json").read_text("utf-8"))
    assert told["score"] == sum(test["max_score"] for test in told["tests"]) > 0


def test_classroom_workflow() -> None:
    """Its commands are those of the root README, on the Python that it names."""
    runs = [
        line.partition("run: ")[2]
        for line in told_block("name: Exercises").splitlines()
        if line.strip().startswith("- run: ")
    ]
    assert runs == ["pip install -r requirements.txt", "pytest --mine"]
    assert (catalog.ROOT / "requirements.txt").is_file()
    pyproject = (catalog.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'target-version = "py311"' in pyproject
