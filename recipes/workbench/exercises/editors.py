"""The learner's own editor, where one is known that has a window of its own."""

import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

from recipes.workbench.refusal import Refusal

# vim and nano need a terminal, and a page has none to give them.
WITH_A_WINDOW = {
    *("code", "code-insiders", "codium", "cursor", "windsurf", "zed", "subl"),
    *("pycharm", "charm", "kate", "gedit", "gnome-text-editor", "xed", "mousepad"),
    *("geany", "mate", "bbedit", "gvim", "mvim", "notepad", "notepad++"),
}


def editor() -> list[str]:
    """The command of the editor; empty if none is known.

    That in VISUAL or EDITOR, as in a terminal, and VS Code where it is installed.
    """
    for named in (os.environ.get("VISUAL"), os.environ.get("EDITOR"), "code"):
        try:
            words = shlex.split(named or "", posix=os.name != "nt")
        except ValueError:
            continue
        if words and Path(words[0]).stem.lower() in WITH_A_WINDOW:
            program = shutil.which(words[0].strip('"'))
            if program:
                return [program, *words[1:]]
    return []


def name_of(command: list[str]) -> str:
    """What an editor is called on a button; empty if there is none."""
    return Path(command[0]).stem if command else ""


def open_in_editor(file: Path) -> None:
    """Have the editor open a file. Raises Refusal: it cannot."""
    command = editor()
    if not command:
        raise Refusal("No editor with a window is known: set VISUAL to its command.")
    try:
        process = subprocess.Popen(
            [*command, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal ends the workbench, and not what is open there.
            start_new_session=True,
        )
    except OSError as error:
        raise Refusal(f"{command[0]} did not start: {error.strerror}.") from None
    # It stays open as long as the learner likes, and longer than the workbench.
    threading.Thread(target=process.wait, daemon=True).start()
