"""How much fits on the screen."""

import shutil
from collections.abc import Callable, Sequence

from cutaway.cli import terminal
from cutaway.cli.table import Column, width

PIPE = 240
"""Letters in a line that goes into a pipe or a file, where there is no edge."""

EDGES = 2
"""Letters that a drawn table leaves free at its sides."""


def room() -> int:
    """How many letters a line holds."""
    return shutil.get_terminal_size().columns - EDGES if terminal.has_colour() else PIPE


Table = tuple[list[Column], list[list[str]]]


def fitting(count: int, table: Callable[[Sequence[int]], Table]) -> list[int]:
    """As many of so many places as the screen is wide for, evenly spaced, the last always, and at least that."""
    choices = [sorted(range(count - 1, -1, -step)) for step in range(1, count + 1)]
    return next((places for places in choices if width(*table(places)) <= room()), choices[-1])
