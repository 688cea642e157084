"""How large the cells of a matrix are drawn: whole pixels each, or several cells to a pixel."""

from dataclasses import dataclass

from cutaway.plots.page import PIXEL

MAX_PIXELS = 1344
"""The longest side of a matrix in a PNG: nearly 9 inches."""

SHORT_SIDE_PIXELS = 416
CELL_PIXELS = 46
MAX_CELLS = (24, 16)
"""Rows and columns of a matrix into whose cells one can write."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """The cells along one side: `n` of them, drawn as `shown`, each so many pixels long."""

    n: int
    shown: int
    pixels: int

    @property
    def length(self) -> float:
        """Points from end to end."""
        return self.shown * self.pixels * PIXEL

    @property
    def pitch(self) -> float:
        """Points from one of the `n` cells to the next."""
        return self.length / self.n

    @property
    def block(self) -> int:
        """How many cells at most share a pixel."""
        return -(-self.n // self.shown)


def sides(rows: int, columns: int, room: int = MAX_PIXELS, cell: int = CELL_PIXELS) -> tuple[Side, Side]:
    """Square cells, as large as `room` and `cell` allow; a short side is stretched until it can be seen."""
    shown = [-(-n // -(-n // room)) for n in (rows, columns)]
    square = min(cell, max(1, room // max(shown)))
    stretched = [max(square, min(cell, min(room, SHORT_SIDE_PIXELS) // n)) for n in shown]
    down, across = (
        Side(n=n, shown=few, pixels=pixels) for n, few, pixels in zip((rows, columns), shown, stretched, strict=True)
    )
    return down, across


def written(rows: int, columns: int, width: float, height: float) -> tuple[Side, Side]:
    """Cells of so many points, to write into."""
    down = Side(n=rows, shown=rows, pixels=round(height / PIXEL))
    return down, Side(n=columns, shown=columns, pixels=round(width / PIXEL))


def can_be_written(rows: int, columns: int) -> bool:
    """Whether the matrix is small enough for words in its cells."""
    return rows <= MAX_CELLS[0] and columns <= MAX_CELLS[1]
