"""The exercise's file under the page's editor: read, saved, and never overwritten."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from recipes.workbench import catalog
from recipes.workbench.exercises import editors, file
from recipes.workbench.refusal import Refusal
from tests.helpers.pages import BOUND, Started, copy_of_the_workbook

RECIPE = "r01_setup"


@pytest.fixture
def exercise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An exercise in a folder that holds nothing else."""
    for name in ("RECIPES", "SOLUTIONS"):
        folder = tmp_path / getattr(catalog, name).name
        (folder / RECIPE).mkdir(parents=True)
        monkeypatch.setattr(catalog, name, folder)
    found = catalog.exercise(RECIPE)
    found.write_bytes(b"x = 1\n")
    return found


def left_behind(exercise: Path) -> list[str]:
    return [each.name for each in exercise.parent.iterdir() if each != exercise]


def test_what_was_read_can_be_saved(exercise: Path) -> None:
    source = file.read(RECIPE)
    assert (source.text, source.trouble) == ("x = 1\n", "")
    exercise.chmod(0o640)
    saved = file.save(RECIPE, "y = 'ä'\n", source.hash)
    assert saved.outcome == "saved"
    assert exercise.read_bytes() == "y = 'ä'\n".encode()
    assert file.read(RECIPE).hash == saved.hash != source.hash
    assert left_behind(exercise) == []
    if os.name != "nt":
        assert exercise.stat().st_mode & 0o777 == 0o640


def test_a_file_that_changed_is_not_overwritten(exercise: Path) -> None:
    base = file.read(RECIPE).hash
    exercise.write_bytes(b"x = 2\n")
    done = file.save(RECIPE, "x = 3\n", base)
    assert (done.outcome, exercise.read_bytes()) == ("changed", b"x = 2\n")
    assert done.hash == file.read(RECIPE).hash
    # Told so, one may insist.
    assert file.save(RECIPE, "x = 3\n", done.hash).outcome == "saved"
    # It was deleted meanwhile; and who knows that brings it back.
    exercise.unlink()
    assert file.save(RECIPE, "x = 4\n", base).outcome == "changed"
    assert file.save(RECIPE, "x = 4\n", file.read(RECIPE).hash).outcome == "saved"
    assert exercise.read_bytes() == b"x = 4\n"


def test_ends_of_lines_stay_as_they_were(exercise: Path) -> None:
    exercise.write_bytes(b"x = 1\r\ny = 2\r\n")
    source = file.read(RECIPE)
    assert source.text == "x = 1\ny = 2\n"
    file.save(RECIPE, "x = 1\ny = 3\n", source.hash)
    assert exercise.read_bytes() == b"x = 1\r\ny = 3\r\n"


def test_what_cannot_be_edited_is_said(exercise: Path) -> None:
    base = file.read(RECIPE).hash
    large = file.save(RECIPE, "#" * file.MOST_BYTES + "\n", base)
    assert large.outcome == "refused"
    assert "1 MiB" in large.sentence
    for data, said in ((b"\xff\xfe", "not UTF-8"), (b"#" * 2**20 + b"\n", "1 MiB")):
        exercise.write_bytes(data)
        assert said in file.read(RECIPE).trouble
    exercise.unlink()
    exercise.mkdir()
    assert "is no file" in file.read(RECIPE).trouble
    assert file.save(RECIPE, "x", "").outcome == "refused"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_not_followed(exercise: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_bytes(b"secret\n")
    exercise.unlink()
    exercise.symlink_to(elsewhere)
    assert "is a link" in file.read(RECIPE).trouble
    assert file.save(RECIPE, "x", file.hash_of(b"secret\n")).outcome == "refused"
    assert elsewhere.read_bytes() == b"secret\n"


def test_the_reference_beside_yours(exercise: Path) -> None:
    catalog.solution(RECIPE).write_text("x = 2\ny = 1\n", encoding="utf-8")
    exercise.write_bytes(b"x = 1\r\ny = 1\r\n")
    lines = file.beside(RECIPE)
    assert lines == [("@", ""), ("-", "x = 1"), ("+", "x = 2"), (" ", "y = 1")]
    exercise.write_bytes(b"x = 2\ny = 1\n")
    assert file.beside(RECIPE) == []


def test_an_editor_with_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VISUAL", "vim")
    monkeypatch.setenv("EDITOR", "subl --new-window")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert editors.editor() == ["/usr/bin/subl", "--new-window"]
    assert editors.name_of(editors.editor()) == "subl"
    monkeypatch.setenv("EDITOR", "subl '")
    assert editors.editor() == ["/usr/bin/code"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert editors.editor() == []
    with pytest.raises(Refusal, match="VISUAL"):
        editors.open_in_editor(tmp_path / "exercise.py")


# The call, as the page makes it


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = Started(copy_of_the_workbook(tmp_path_factory.mktemp("editor")))
    yield started
    started.end()


@pytest.mark.slow
def test_save_is_told_and_judged(started: Started) -> None:
    exercise = started.workbook / "recipes" / RECIPE / "exercise.py"
    with started.page(RECIPE) as live, started.page(RECIPE) as other:
        source = live.news("source")
        assert source["text"] == exercise.read_text(encoding="utf-8")
        live.call("save", text="x = 1 / 0\n", base=source["hash"])
        done = live.news("written")
        assert done["outcome"] == "saved"
        assert exercise.read_bytes() == b"x = 1 / 0\n"
        judged = live.news("exercise", lambda n: n["tasks"][0]["failure"])
        assert "ZeroDivisionError on line 1" in judged["tasks"][0]["failure"]
        # Another page hears of it; what it saves on the older text is refused.
        other.news("source", lambda news: news["hash"] == done["hash"])
        other.call("save", text="x = 2\n", base=source["hash"])
        assert other.news("written")["outcome"] == "changed"
        assert exercise.read_bytes() == b"x = 1 / 0\n"


@pytest.mark.slow
def test_a_save_restarts_the_server_of_the_exercise_alone(started: Started) -> None:
    with started.page("r03_disconnects") as live:
        base = live.news("source")["hash"]
        text = catalog.starter("r03_disconnects").read_text(encoding="utf-8")
        live.start("main")
        live.start("exercise")
        live.call("save", text=f"{text}\n", base=base)
        live.news("app", lambda n: n["app"] == "exercise" and n["state"] == "starting")
        live.state("exercise", "running")
        assert live.states["main"] == "running"
        assert not any("restarting" in line for line in live.lines["main"])


@pytest.mark.slow
def test_nothing_else_can_be_written(started: Started) -> None:
    with started.page("r02_send_receive") as live:
        base = live.news("source")["hash"]
        for more in ({"path": "main.py"}, {"recipe": RECIPE}, {"base": "x" * 65}):
            live.call("save", **({"text": "x", "base": base} | more))
            assert live.news("trouble")["sentence"].startswith("Not understood")
        # The largest call is answered, whatever JSON makes of it.
        live.call("save", text="\x01" * (file.MOST_BYTES + 1), base=base)
        assert "1 MiB" in live.news("written")["sentence"]
        live.call("save", text="x", base="")
        assert live.news("written")["outcome"] == "changed"
    with started.socket() as socket:
        socket.send('{"token": "guessed", "do": "save", "text": "x", "base": ""}')
        with pytest.raises(ConnectionClosed):
            socket.recv(BOUND)
        assert socket.close_code == 1008
    for each in (started.workbook / "recipes" / "r02_send_receive").glob("*.py"):
        assert each.read_bytes() != b"x"
