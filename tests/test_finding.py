"""What is where in the workbook: the search, the outlines and the contents."""

import re

import pytest

from recipes.workbench import catalog
from recipes.workbench.page import render
from recipes.workbench.page.contents import entries
from recipes.workbench.page.passages import outline
from recipes.workbench.page.search import AROUND, LONGEST, MOST_FOUND, names, search


def test_every_text_is_searched() -> None:
    assert {catalog.ROOT / name for name in names()} == {
        *(catalog.ROOT / name for name in render.TEXTS.values()),
        *catalog.RECIPES.rglob("*.md"),
    }


def test_a_symptom_is_found_as_it_is_printed() -> None:
    hit = search("address already in use").hits[0]
    assert hit.href == "/symptoms#no-connection"
    assert hit.found == "address already in use"
    assert "another server has the port" in hit.after
    assert search("Address ALREADY in use").hits[0] == hit


def test_a_heading_comes_first() -> None:
    hit = search("a call that blocks").hits[0]
    assert hit.href == "/r03_disconnects/more#a-call-that-blocks-stops-everybody"
    assert hit.found == "A call that blocks"


def test_words_apart_are_found_after_words_in_a_row() -> None:
    found = search("client slow").hits + search("slow client").hits
    assert found
    for hit in found:
        assert {"slow", "client"} & set(hit.found.lower().split())


@pytest.mark.parametrize("query", ["", " ", "a", "no such words, anywhere", "\0"])
def test_nothing_is_found(query: str) -> None:
    assert search(query).hits == []


def test_search_is_bounded() -> None:
    found = search("the")
    assert len(found.hits) == MOST_FOUND < found.total
    for hit in found.hits:
        assert len(hit.before) <= AROUND + 1
        assert len(hit.after) <= AROUND + 1
    # What is over the bound does not count.
    padded = "the".ljust(LONGEST) + "no such words"
    assert search(padded).total == found.total


@pytest.mark.parametrize("query", ["1006", "finally", "token", "uvicorn", "benchmark"])
def test_hits_lead_to_their_heading(query: str) -> None:
    pages = {render.place("", name): render.text(name) for name in names()}
    for hit in search(query).hits:
        page, _, anchor = hit.href.partition("#")
        assert f'id="{anchor}"' in pages[page], hit


@pytest.mark.parametrize("name", names())
def test_outlines_lead_to_headings(name: str) -> None:
    parts = outline(name)
    html = render.text(name)
    assert len(parts) == len(re.findall("<h2", html))
    for part in parts:
        assert f'<h2 id="{part.anchor}">' in html


def test_contents_say_what_the_readme_says() -> None:
    every = entries()
    assert [entry.recipe for entry in every] == catalog.recipes()
    for n, entry in enumerate(every, 1):
        assert entry.number == n
        assert entry.title == catalog.title(entry.recipe)
        assert entry.after
        assert entry.before
        assert 5 <= int(entry.minutes) <= 120
    assert every[0].before == "routes in FastAPI, <code>async def</code>"


def test_the_corner_of_a_table_heads_nothing() -> None:
    html = render.MARKDOWN.render("| | a |\n| --- | --- |\n| b | 1 |\n", {})
    assert "<th></th>" not in html
    assert html.count("<th>") == html.count("</th>") == 1
    assert html.count("<td>") == html.count("</td>") == 3
