"""The exercise in one place: written, saved, judged and compared in the page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recipes.workbench import catalog
from tests.helpers.pages import OpenPage, start_app

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow

RECIPE = "r01_setup"
# A students' edition has none.
with_solutions = pytest.mark.skipif(
    not catalog.SOLUTIONS.is_dir(), reason="this is tested where solutions/ is"
)


@pytest.fixture
def exercise(workbook: Path) -> Iterator[Path]:
    """The file, which is the starter before and after."""
    file = workbook / "recipes" / RECIPE / "exercise.py"
    starter = file.read_bytes()
    yield file
    file.write_bytes(starter)


@pytest.fixture
def page(opened: OpenPage, exercise: Path) -> "Page":
    page = opened(f"/{RECIPE}#exercise")
    state(page, "As in the file")
    return page


def editor(page: "Page") -> "Locator":
    return page.locator("#editor")


def state(page: "Page", words: str) -> None:
    """Wait until the page says this of the file."""
    page.locator("#file-state", has_text=re.compile(f"^{re.escape(words)}")).wait_for()


def test_from_statement_to_green(page: "Page", exercise: Path) -> None:
    """Nothing but the page is needed."""
    page.locator("#statement").get_by_text("gets the text").wait_for()
    editor(page).focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("x = 1 / 0")
    state(page, "Not saved yet")
    page.keyboard.press("Control+s")
    state(page, "Saved")
    assert exercise.read_text(encoding="utf-8").endswith("x = 1 / 0")
    page.get_by_text("0 of 2 tasks passed.").wait_for()
    line = len(exercise.read_text(encoding="utf-8").splitlines())
    page.locator(".gutter mark", has_text=str(line)).wait_for()
    page.get_by_role("button", name=f"Go to line {line}").click()
    assert editor(page).evaluate(
        "at => at === document.activeElement"
        " && at.value.slice(at.selectionStart) === 'x = 1 / 0'"
    )
    page.keyboard.press("Home")
    page.keyboard.press("Shift+End")
    page.keyboard.press("Delete")
    # What is typed is about a text that was not judged yet.
    assert page.locator(".gutter mark").count() == 0
    assert page.locator("#finished").is_hidden()


def test_its_server_and_its_log_are_there(page: "Page") -> None:
    place = page.locator("#exercise-server")
    start_app(page, "exercise")
    place.get_by_text("Uvicorn running").wait_for()
    place.get_by_role("button", name="/ws/").first.click()
    place.get_by_text("connection open").wait_for()
    page.locator(".lanes").get_by_text("TODO").wait_for()
    place.get_by_role("button", name="Stop", exact=True).click()
    page.locator("[data-app=exercise][data-state=stopped]").wait_for()


@with_solutions
def test_after_the_last_task(page: "Page", workbook: Path) -> None:
    solution = workbook / "solutions" / RECIPE / "exercise.py"
    text = solution.read_text(encoding="utf-8")
    editor(page).fill(f"{text}\n# mine\n")
    page.get_by_role("button", name="Save and judge").click()
    page.get_by_text("All tasks passed.").wait_for()
    done = page.locator("#finished")
    assert done.get_by_role("link", name="Go on").get_attribute("href") == (
        "/r02_send_receive"
    )
    page.get_by_role("button", name="Solution").click()
    page.locator(".beside del", has_text="# mine").wait_for()
    assert page.locator(".beside del").all_inner_texts()[-1].strip() == "- # mine"


def test_keys_of_the_editor(page: "Page") -> None:
    area = editor(page)
    before = area.input_value()
    area.fill("def f():")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("a")
    page.keyboard.press("Enter")
    page.keyboard.type("b")
    assert area.input_value() == "def f():\n    a\n    b"
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Tab")
    assert area.input_value() == "def f():\n        a\n        b"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert area.input_value() == "def f():\na\nb"
    for _ in range(40):  # each undone by the browser itself, down to what was read
        page.keyboard.press("Control+z")
    assert area.input_value() == before
    state(page, "As in the file")
    # Tab indents, so there is another way out.
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "editor"
    assert area.input_value() == before


def test_a_change_outside_shows_at_once(page: "Page", exercise: Path) -> None:
    exercise.write_text("# written outside\n", encoding="utf-8")
    state(page, "Changed outside, and read again")
    assert editor(page).input_value() == "# written outside\n"
    assert page.locator("#conflict").is_hidden()


def test_a_conflict_is_asked_about(page: "Page", exercise: Path) -> None:
    editor(page).fill("# typed here\n")
    exercise.write_text("# written outside\n", encoding="utf-8")
    page.get_by_text("The file was changed outside").wait_for()
    # Saving asks again, and writes nothing.
    editor(page).press("Control+s")
    assert page.get_by_role("button", name="Keep mine").evaluate(
        "at => at === document.activeElement"
    )
    assert exercise.read_text(encoding="utf-8") == "# written outside\n"
    assert editor(page).input_value() == "# typed here\n"
    page.get_by_role("button", name="Take the file").click()
    assert editor(page).input_value() == "# written outside\n"
    page.keyboard.press("Control+z")
    assert editor(page).input_value() == "# typed here\n"
    exercise.write_text("# and again\n", encoding="utf-8")
    page.get_by_role("button", name="Keep mine").click()
    state(page, "Saved")
    assert exercise.read_text(encoding="utf-8") == "# typed here\n"


def test_what_is_typed_outlives_a_reload(page: "Page", exercise: Path) -> None:
    editor(page).fill("# typed and not saved\n")
    page.reload()
    state(page, "Typed here before, and not saved yet")
    assert editor(page).input_value() == "# typed and not saved\n"
    # Not there meanwhile, and the file became another: asked about, as ever.
    page.goto("about:blank")
    exercise.write_text("# written meanwhile\n", encoding="utf-8")
    page.go_back()
    page.get_by_text("The file was changed outside").wait_for()
    assert editor(page).input_value() == "# typed and not saved\n"
    page.get_by_role("button", name="Keep mine").click()
    state(page, "Saved")
    page.reload()
    state(page, "As in the file")
    assert editor(page).input_value() == "# typed and not saved\n"


def test_a_tab_has_an_address(opened: OpenPage) -> None:
    page = opened(f"/{RECIPE}")
    page.get_by_role("tab", name="Exercise").click()
    assert page.url.endswith(f"/{RECIPE}#exercise")
    page.reload()
    assert page.locator("#panel-exercise").is_visible()
    page.get_by_role("tab", name="Code").click()
    page.go_back()
    page.locator("#panel-exercise").wait_for()
    page.go_back()
    page.locator("#panel-text").wait_for()
