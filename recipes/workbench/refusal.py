"""What every room of the workbench says no with."""


class Refusal(Exception):
    """What was asked for cannot be done; the text is a sentence for the user."""
