"""A search over all texts and the table of symptoms, by the words as they stand."""

from dataclasses import dataclass

from recipes.workbench import catalog
from recipes.workbench.page import render
from recipes.workbench.page.passages import Passage, passages

LONGEST = 100  # letters of a query
MOST_WORDS = 8
MOST_FOUND = 20
AROUND = 70  # letters shown on each side of what was found
SHORTEST = 2  # letters: one alone stands everywhere


@dataclass(frozen=True)
class Hit:
    """A place that was found, and where the page shows it.

    Attributes:
        where: the text and the heading in it.
        before: the words before the first that was looked for, as it stands there.
        found: that word, or all of them where they stand in a row.
        after: the words after it.
    """

    href: str
    where: str
    before: str
    found: str
    after: str


@dataclass(frozen=True)
class Found:
    """The best hits, and how many there are in all."""

    hits: list[Hit]
    total: int


def names() -> list[str]:
    """The texts that are searched, in the order in which equals are shown."""
    symptoms = "SYMPTOMS.md"
    own = [
        f"recipes/{recipe}/{name}"
        for recipe in catalog.recipes()
        for name in ("README.md", "more.md")
    ]
    every = [symptoms, *own, *(n for n in render.TEXTS.values() if n != symptoms)]
    return [name for name in every if (catalog.ROOT / name).is_file()]


def search(query: str) -> Found:
    """The passages that hold every word of a query, best first.

    Of a query count the first LONGEST letters and MOST_WORDS words. A heading comes
    before what stands below it, and words in a row before words apart.
    """
    words = query[:LONGEST].lower().split()[:MOST_WORDS]
    phrase = " ".join(words)
    if len(phrase) < SHORTEST:
        return Found([], 0)
    hits: list[tuple[int, Hit]] = []
    for name in names():
        every = passages(name)
        title = next((each.text for each in every if each.level), name)
        for passage in every:
            text = passage.text.lower()
            # A heading may have a part of the words, but not all of them.
            if all(w in text or w in passage.heading.lower() for w in words) and any(
                w in text for w in words
            ):
                at = 2 * (phrase not in text) + (not passage.level)
                hits.append((at, _hit(name, title, passage, phrase, words)))
    hits.sort(key=lambda each: each[0])
    return Found([hit for _, hit in hits[:MOST_FOUND]], len(hits))


def _hit(name: str, title: str, at: Passage, phrase: str, words: list[str]) -> Hit:
    text = at.text
    # Some letters are longer when small; then the text is shown from its beginning.
    small = text.lower() if len(text.lower()) == len(text) else ""
    first = phrase if phrase in small else next((w for w in words if w in small), "")
    start = small.find(first) if first else 0
    end = start + len(first)
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    if start > AROUND:
        before = f"…{before.partition(' ')[2] or before}"
    if end + AROUND < len(text):
        after = f"{after.rpartition(' ')[0] or after}…"
    where = title if at.heading in {"", title} else f"{title}: {at.heading}"
    target = render.place("", f"{name}#{at.anchor}")
    return Hit(target, where, before, text[start:end], after)
