"""Sequence diagrams in mermaid's language, read: who takes part, and step by step what.

Of that language it knows what texts need: `participant`, the arrows `->>` and `-->>`
(arrive) and `-x` and `--x` (do not), `Note over`, and the frames `alt`/`else`,
`par`/`and`, `opt` and `loop` (https://mermaid.js.org/syntax/sequenceDiagram.html).
"""

import re
from dataclasses import dataclass, field

# How a frame is said, by its kind; and which kind divides which.
WORDS = {
    "alt": "either",
    "else": "or",
    "par": "at the same time",
    "and": "and",
    "opt": "perhaps",
    "loop": "again and again",
}
DIVIDES = {"else": "alt", "and": "par"}

ARROW = re.compile(r"(\w+)\s*(--?)(>>|x)\s*(\w+)\s*:\s*(.+)")
NOTE = re.compile(r"Note over (\w+(?:\s*,\s*\w+)?)\s*:\s*(.+)")
PARTICIPANT = re.compile(r"participant (\w+)(?: as (.+))?")
FRAME = re.compile(rf"({'|'.join(WORDS)})(?: (.+))?")


class NotUnderstood(ValueError):
    """A line that is not of the part of the language that is known here."""


@dataclass(frozen=True)
class Message:
    """What one sends to another; `lost` if it does not arrive, `dashed` as written."""

    sender: str
    receiver: str
    text: str
    lost: bool
    dashed: bool


@dataclass(frozen=True)
class Note:
    """What happens at one, or between two and all that stand between them."""

    over: list[str]
    text: str


@dataclass(frozen=True)
class Frame:
    """Opens a frame (`kind` is alt, par, opt or loop), or divides one (else, and)."""

    kind: str
    text: str

    @property
    def divides(self) -> bool:
        return self.kind in DIVIDES

    @property
    def words(self) -> str:
        return f"{WORDS[self.kind]}: {self.text}" if self.text else WORDS[self.kind]


@dataclass(frozen=True)
class End:
    """Closes the frame that was opened last."""


Step = Message | Note | Frame | End


@dataclass
class Sequence:
    """A whole diagram; `names` are those who take part, by their short names."""

    names: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def words(self) -> str:
        """All of it in sentences, for who hears it."""
        return " ".join(map(self._sentence, self.steps))

    def _sentence(self, step: Step) -> str:
        match step:
            case Message():
                lost = " This does not arrive." if step.lost else ""
                who = f"{self.names[step.sender]} to {self.names[step.receiver]}"
                return f"{who}: {step.text}.{lost}"
            case Note():
                who = " and ".join(self.names[each] for each in step.over)
                return f"At {who}: {step.text}."
            case Frame():
                return f"{step.words[0].upper()}{step.words[1:]}."
            case End():
                return "End of that."


def read(text: str) -> Sequence:
    """Reads a diagram. Raises NotUnderstood: it holds what is not known here."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("%%")]
    if not lines or lines[0] != "sequenceDiagram":
        raise NotUnderstood("no sequenceDiagram")
    sequence = Sequence()
    opened: list[str] = []
    for line in lines[1:]:
        if found := PARTICIPANT.fullmatch(line):
            sequence.names[found[1]] = found[2] or found[1]
            continue
        step = _step(line)
        match step:
            case Message():
                for name in (step.sender, step.receiver):
                    sequence.names.setdefault(name, name)
            case Note() if not set(step.over) <= set(sequence.names):
                raise NotUnderstood(line)
            case Frame() if step.divides:
                if opened[-1:] != [DIVIDES[step.kind]]:
                    raise NotUnderstood(line)
            case Frame():
                opened.append(step.kind)
            case End():
                if not opened:
                    raise NotUnderstood(line)
                opened.pop()
        sequence.steps.append(step)
    if opened or len(sequence.names) < 2:
        raise NotUnderstood("a frame without its end, or nobody to talk to")
    return sequence


def _step(line: str) -> Step:
    if line == "end":
        return End()
    if found := ARROW.fullmatch(line):
        sender, dashes, head, receiver, what = found.groups()
        if sender != receiver:
            return Message(sender, receiver, what, head == "x", dashes == "--")
    elif found := NOTE.fullmatch(line):
        return Note(re.split(r"\s*,\s*", found[1]), found[2])
    elif found := FRAME.fullmatch(line):
        return Frame(found[1], found[2] or "")
    raise NotUnderstood(line)
