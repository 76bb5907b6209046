"""Text of strangers, made fit to be shown."""


def visible(text: str, keep: str = "\n") -> str:
    """The text with what has no look of its own escaped, as Python would write it.

    That is control, format and surrogate characters: they move a terminal's cursor,
    turn the direction of writing, or cannot be written at all. Those in `keep` stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)
