"""Sequence diagrams as SVG that looks like a console's lanes; colours in diagram.css.

Texts stand in a font of one width, so their place is known without a browser.
"""

import textwrap
import zlib
from html import escape

from recipes.workbench.page.sequence import End, Frame, Message, Note, Sequence, read

# In the units of the drawing, which are pixels as long as it is not made smaller.
CHAR, LINE = 7.9, 17  # a letter of 13 px, a line of them
EDGE = 76  # from the side to the first lane
PAD = 6
# Between lanes, by how many there are: two have room, many must fit beside a console.
GAPS = {2: 280, 3: 190}
NARROW_GAP = 145


def drawn(text: str) -> str:
    """A diagram in mermaid's language as HTML.

    Raises NotUnderstood: it holds what `sequence.read` does not know.
    """
    return _Drawing(read(text)).html()


class _Drawing:
    """A drawing that grows downwards, step by step."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        count = len(sequence.names)
        gap = GAPS.get(count, NARROW_GAP)
        self._x = {name: EDGE + n * gap for n, name in enumerate(sequence.names)}
        self._width = 2 * EDGE + (count - 1) * gap
        self._y = 0.0
        self._opened: list[float] = []
        # Frames lie behind the lanes, and lanes behind all else.
        self._frames: list[str] = []
        self._front: list[str] = []

    def html(self) -> str:
        names = self._sequence.names
        top = self._heads()
        for step in self._sequence.steps:
            match step:
                case Message():
                    self._message(step)
                case Note():
                    self._note(step)
                case Frame():
                    self._frame(step)
                case End():
                    self._end()
        end = self._y + 2 * PAD
        lanes = [_line("lane", x, top, x, end) for x in self._x.values()]
        key = f"diagram-{zlib.crc32(repr(self._sequence).encode()):08x}"
        size = f'viewBox="0 0 {self._width:g} {end:g}" width="{self._width:g}"'
        return (
            f'<div class="diagram lanes-{min(len(names), 9)}" tabindex="0">'
            f'<svg role="img" {size} height="{end:g}" '
            f'aria-labelledby="{key}" aria-describedby="{key}-words">'
            f'<title id="{key}">Sequence: {escape(", ".join(names.values()))}</title>'
            f'<desc id="{key}-words">{escape(self._sequence.words())}</desc>'
            f"{''.join(self._frames + lanes + self._front)}</svg></div>\n"
        )

    def _heads(self) -> float:
        """Who takes part, above the lanes; gives the height at which these begin."""
        room = min(2 * EDGE, self._gap()) - 2 * PAD
        wrapped = {short: _wrap(n, room) for short, n in self._sequence.names.items()}
        lines = max(map(len, wrapped.values()))
        for short, name in wrapped.items():
            # Next to its lane, however many lines the others take.
            above = (lines - len(name)) * LINE
            self._text("who", name, self._x[short], above, "middle")
        self._y = lines * LINE + PAD
        return self._y

    def _gap(self) -> float:
        first, second, *_ = self._x.values()
        return second - first

    def _message(self, step: Message) -> None:
        start, end = self._x[step.sender], self._x[step.receiver]
        way = 1 if end > start else -1
        lines = _wrap(step.text, abs(end - start) - 4 * PAD)
        kind = "sent" if way > 0 else "received"
        # As in a console, the text stands at the side of who sends it.
        self._y += PAD
        at = start + way * 2 * PAD
        wide = max(map(len, lines)) * CHAR + PAD
        left = at - PAD / 2 if way > 0 else at - wide + PAD / 2
        self._front.append(_rect(kind, left, self._y, wide, len(lines) * LINE))
        self._text("what", lines, at, self._y, "start" if way > 0 else "end")
        self._y += len(lines) * LINE + 4
        arrow = "lost" if step.lost else "arrow"
        dashed = " dashed" if step.dashed else ""
        stop = end - way * 12 if step.lost else end
        self._front.append(_line(arrow + dashed, start, self._y, stop, self._y))
        if step.lost:
            cross = f"M{stop - 5:g} {self._y - 5:g}l10 10m-10 0l10 -10"
            self._front.append(f'<path class="lost" d="{cross}"/>')
        else:
            head = f"M{end:g} {self._y:g}l{-way * 9} -5v10z"
            self._front.append(f'<path class="head" d="{head}"/>')
        self._y += PAD

    def _note(self, step: Note) -> None:
        left, right = (f(self._x[name] for name in step.over) for f in (min, max))
        lines = _wrap(step.text, max(right - left, 2 * EDGE) + 4 * PAD)
        wide = max(max(map(len, lines)) * CHAR + 3 * PAD, right - left + 4 * PAD)
        middle = (left + right) / 2
        # Over a lane at the side it moves inwards.
        room = PAD + wide / 2
        middle = min(max(middle, room), self._width - room)
        self._y += PAD
        high = len(lines) * LINE + PAD
        self._front.append(_rect("note", middle - wide / 2, self._y, wide, high))
        self._text("aside", lines, middle, self._y + PAD / 2, "middle")
        self._y += high + PAD

    def _frame(self, step: Frame) -> None:
        depth = len(self._opened) - step.divides
        left = PAD + depth * PAD
        self._y += PAD
        if step.divides:
            end = self._width - left
            self._front.append(_line("divide dashed", left, self._y, end, self._y))
        else:
            self._opened.append(self._y)
        lines = _wrap(step.words, self._width - 2 * left - 4 * PAD)
        wide = max(map(len, lines)) * CHAR + 2 * PAD
        high = len(lines) * LINE + 4
        self._front.append(_rect("label", left + 1, self._y + 1, wide, high))
        self._text("aside", lines, left + PAD + 1, self._y + 2, "start")
        self._y += high

    def _end(self) -> None:
        top = self._opened.pop()
        left = PAD + len(self._opened) * PAD
        self._y += PAD
        wide = self._width - 2 * left
        self._frames.append(_rect("frame", left, top, wide, self._y - top))
        self._y += PAD

    def _text(self, name: str, lines: list[str], x: float, y: float, at: str) -> None:
        for n, line in enumerate(lines):
            self._front.append(
                f'<text class="{name}" x="{x:g}" y="{y + n * LINE + 13:g}" '
                f'text-anchor="{at}">{escape(line)}</text>'
            )


def _wrap(text: str, room: float) -> list[str]:
    return textwrap.wrap(text, max(8, int(room / CHAR)), break_on_hyphens=False)


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f'<line class="{name}" {ends}/>'


def _rect(name: str, x: float, y: float, wide: float, high: float) -> str:
    size = f'x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}"'
    return f'<rect class="{name}" {size} rx="3"/>'
