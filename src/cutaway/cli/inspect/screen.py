"""How much fits on the screen."""

import shutil

from cutaway.cli import terminal

PIPE = 240
"""Letters in a line that goes into a pipe or a file, where there is no edge."""


def room() -> int:
    """How many letters a line holds."""
    return shutil.get_terminal_size().columns if terminal.has_colour() else PIPE
