"""Several matrices side by side, with common axes and one colour bar."""

import math
from typing import TYPE_CHECKING, Any

from cutaway.errors import ConfigError
from cutaway.plots import colour_bar, glyphs, ticks
from cutaway.plots.colours import Array, Scale
from cutaway.plots.grid import sides
from cutaway.plots.heat_map import notes, paint
from cutaway.plots.matrix import Axes, mean_of_blocks
from cutaway.plots.page import NAME_SIZE, PAD, framed, place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PANELS = 64
ROOM, CELL = 512, 34
"""Pixels at most for a panel, and for a cell."""

HEADING = NAME_SIZE * glyphs.LINE + 4
GAP = 10.0


def draw_matrices(array: Array, axes: Axes, scale: Scale, title: str = "", unit: str = "") -> "Figure":
    """A panel for each place of the first axis; the colours mean the same in all of them.

    Raises: ConfigError for more panels than one can look at.
    """
    (panel_name, names), (row_name, rows), (column_name, columns) = axes
    if len(names) > MAX_PANELS:
        raise ConfigError(f"{len(names):,} panels are too many for a picture; choose at most {MAX_PANELS}")
    down, across = sides(len(rows), len(columns), ROOM, CELL)
    row_ticks, column_ticks = ticks.down(rows, down.pitch), ticks.across(columns, across.pitch)
    lines, in_line = layout(len(names), down.length, across.length)
    left = PAD + row_ticks.widest + NAME_SIZE * 1.6 + 5
    below = PAD + column_ticks.depth + NAME_SIZE * 1.6 + 7
    headings = [name if isinstance(name, str) and name else f"{panel_name} {name}".strip() for name in names]
    widest = max(glyphs.width(glyphs.label(heading), NAME_SIZE) for heading in headings)
    x_pitch = max(across.length + column_ticks.overhang(across.pitch), widest) + GAP
    y_pitch = down.length + HEADING
    note = notes(array, scale, down, across)
    size = in_line * x_pitch - GAP, lines * y_pitch
    with framed(*size, left=left, right=colour_bar.ROOM, bottom=below, title=title, note=note) as (figure, whole, low):
        whole.set_axis_off()
        for i, heading in enumerate(headings):
            line, place_in_line = divmod(i, in_line)
            x, y = left + place_in_line * x_pitch, low + (lines - 1 - line) * y_pitch
            panel = place(figure, x, y, across.length, down.length)
            paint(panel, mean_of_blocks(array[i], down.shown, across.shown), array[i].shape, scale)
            panel.set_title(glyphs.label(heading), loc="left", size=NAME_SIZE, pad=3)
            lowest = i + in_line >= len(names)
            label(panel, (row_ticks, row_name), (column_ticks, column_name), first=not place_in_line, lowest=lowest)
        colour_bar.draw_colour_bar(figure, (left + size[0], low, size[1] - HEADING), scale, unit)
    return figure  # type: ignore[no-any-return]


def layout(n: int, height: float, width: float) -> tuple[int, int]:
    """How many lines of how many panels: four side by side, more where that makes the whole less tall than wide."""
    in_line = min(n, max(4, math.ceil(math.sqrt(n * (height + HEADING) / (width + GAP)))))
    return -(-n // in_line), in_line


def label(
    panel: Any, rows: tuple[ticks.Ticks, str], columns: tuple[ticks.Ticks, str], *, first: bool, lowest: bool
) -> None:
    """The labels of the axes, but only at the left and below."""
    ticks.put_down(panel, *rows)
    ticks.put_across(panel, *columns)
    if not first:
        panel.set_yticks([])
        panel.set_ylabel("")
    if not lowest:
        panel.set_xticks([])
        panel.set_xlabel("")
