"""What every room of the workbench says no with."""


class Refusal(Exception):
    """What was asked for cannot be done; the text is a sentence for the user.

    `about` names the field of a form that it is about, if it is about one.
    """

    def __init__(self, sentence: str, about: str = "") -> None:
        super().__init__(sentence)
        self.about = about
