"""Numbers as a table, for slides and papers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cutaway.errors import ConfigError
from cutaway.plots import glyphs
from cutaway.plots.page import FAINT_INK, INK, PAD, framed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE, PITCH, GAP = 8.5, 15.0, 18.0
MAX_ROWS = 60

Cell = str | int | float


def draw_table(header: Sequence[str], rows: Sequence[Sequence[Cell]], *, title: str = "") -> "Figure":
    """A header, a rule and the rows: texts stand at the left of their column, numbers at the right.

    Raises: ConfigError for no rows, too many, or rows that do not fit the header.
    """
    if not 0 < len(rows) <= MAX_ROWS or any(len(row) != len(header) for row in rows):
        raise ConfigError(
            f"{len(rows)} rows make no table of {len(header)} columns; give 1 to {MAX_ROWS} of that length"
        )
    lines = [[text_of(cell) for cell in row] for row in (header, *rows)]
    right = [not isinstance(cell, str) for cell in rows[0]]
    widths = [max(glyphs.width(line[i], SIZE) for line in lines) for i in range(len(header))]
    width, height = sum(widths) + GAP * (len(widths) - 1), PITCH * len(lines)
    with framed(width, height, bottom=PAD, title=title) as (figure, axes, _):
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        axes.axhline(PITCH, color=FAINT_INK, linewidth=0.6)
        for i, line in enumerate(lines):
            put_line(axes, line, widths, right, (i + 0.5) * PITCH, FAINT_INK if i == 0 else INK)
    return figure  # type: ignore[no-any-return]


def text_of(cell: Cell) -> str:
    """What stands in a cell: whole numbers in full, others with four decimals, or four digits where they are small."""
    if isinstance(cell, float):
        return (f"{cell:,.4f}" if 1e-4 <= abs(cell) or not cell else f"{cell:.3g}").replace("-", "−")
    return f"{cell:,}" if isinstance(cell, int) else glyphs.label(cell, 60)


def put_line(
    axes: Any, line: Sequence[str], widths: Sequence[float], right: Sequence[bool], y: float, colour: str
) -> None:
    """One row of the table."""
    x = 0.0
    for text, width, number in zip(line, widths, right, strict=True):
        side = {"x": x + width, "ha": "right"} if number else {"x": x, "ha": "left"}
        axes.text(y=y, s=text, va="center", size=SIZE, color=colour, **side)
        x += width + GAP
