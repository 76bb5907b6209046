"""Sequence diagrams of the texts are drawn; what is not known is shown as text."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from recipes.workbench import catalog
from recipes.workbench.page import render
from recipes.workbench.page.diagram import CHAR, drawn
from recipes.workbench.page.sequence import NotUnderstood, read

BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXTS = sorted(catalog.RECIPES.rglob("*.md"))
DIAGRAMS = [(f, text) for f in TEXTS for text in BLOCK.findall(f.read_text("utf-8"))]

SMALL = """sequenceDiagram
    participant C as client
    C->>S: hi & <b>bye</b>
    Note over C, S: both
    par first
        S-->>C: yes
    and
        S-xC: no
    end
"""


@pytest.mark.parametrize(
    ("file", "text"), DIAGRAMS, ids=[file.parent.name for file, _ in DIAGRAMS]
)
def test_diagrams_of_the_texts_are_drawn(file: Path, text: str) -> None:
    html = drawn(text)
    assert html in render.text(file.relative_to(catalog.ROOT).as_posix())
    box = ElementTree.fromstring(html)
    svg = box[0]
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    shown = " ".join(t.text or "" for t in svg.iter("text"))
    words = svg.findtext("desc") or ""
    # A label that was wrapped stands in several elements, in their order.
    for label in re.findall(r": (.+)$", text, re.MULTILINE):
        assert label in words
        assert label in shown
    for name in re.findall(r"participant \w+ as (.+)", text):
        assert name in (svg.findtext("title") or "")
        assert name in shown
    # Nothing is outside of the picture, a text neither.
    for at in svg.iter("rect"):
        x, y = float(at.attrib["x"]), float(at.attrib["y"])
        assert x >= 0
        assert x + float(at.attrib["width"]) <= width
        assert y + float(at.attrib["height"]) <= height
    for at in svg.iter("line"):
        assert 0 <= float(at.attrib["x1"]) <= width
        assert 0 <= float(at.attrib["x2"]) <= width
    for at in svg.iter("text"):
        long = CHAR * len(at.text or "")
        back = {"start": 0.0, "middle": long / 2, "end": long}[at.attrib["text-anchor"]]
        assert float(at.attrib["x"]) - back >= 0
        assert float(at.attrib["x"]) - back + long <= width
        assert float(at.attrib["y"]) < height
    assert len(svg.findall("path")) == len(re.findall(r"-(?:>>|x)", text))
    assert " style=" not in html


def test_a_diagram_in_words() -> None:
    assert read(SMALL).words() == (
        "client to S: hi & <b>bye</b>. At client and S: both. "
        "At the same time: first. S to client: yes. "
        "And. S to client: no. This does not arrive. End of that."
    )


def test_a_diagram_as_svg() -> None:
    html = drawn(SMALL)
    assert "<b>" not in html
    assert "hi &amp; &lt;b&gt;bye&lt;/b&gt;" in html
    svg = ElementTree.fromstring(html)[0]
    classes = [each.get("class") for each in svg if each.get("class")]
    assert classes.count("lane") == 2
    assert classes.count("frame") == 1
    assert classes.count("head") == 2
    assert classes.count("arrow dashed") == 1
    # A cross and its line.
    assert classes.count("lost") == 2
    # A frame holds what happens in it.
    frame = next(each for each in svg if each.get("class") == "frame")
    cross = [float(n) for n in re.findall(r'class="lost".*?y1="([\d.]+)"', html)]
    top = float(frame.attrib["y"])
    assert top < cross[0] < top + float(frame.attrib["height"])


@pytest.mark.parametrize(
    "line",
    [
        "activate S",
        "C->S: no head",
        "C->>C: to itself",
        "C->>S",
        "Note over X: nobody",
        "Note left of C: aside",
        "and nothing is divided",
        "end",
        "loop without its end",
        "<script>alert(1)</script>",
    ],
)
def test_what_is_not_understood_is_shown(line: str) -> None:
    text = f"sequenceDiagram\nparticipant C\nC->>S: hi\n{line}\n"
    with pytest.raises(NotUnderstood):
        drawn(text)
    html = render.MARKDOWN.render(f"```mermaid\n{text}```\n", {"folder": ""})
    assert html.startswith('<pre class="code output"')
    assert "participant C" in html
    assert "<script" not in html


@pytest.mark.parametrize("text", ["", "graph TD\nA-->B\n", "sequenceDiagram\n"])
def test_other_diagrams_are_shown_as_text(text: str) -> None:
    with pytest.raises(NotUnderstood):
        drawn(text)
