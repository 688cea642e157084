"""Many small square matrices in rows and columns, as one picture."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.plots.colours import Array, Scale
from cutaway.plots.grid import Side
from cutaway.plots.heat_map import cells_frame
from cutaway.plots.matrix import enlarged, largest_of_blocks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = 255
KEPT = 128
"""The side of a thumbnail as it is kept until their number, and so their final size, is known."""

ROOM, SMALLEST, GAP = 1440, 36, 4
"""Pixels for all thumbnails in a row, for one at least, and between two."""


def thumbnails(patterns: Array) -> Array:
    """The patterns in at most 128 × 128 numbers, each the largest of those that it stands for.

    Shapes: (…, T, T) -> (…, min(T, 128), min(T, 128))
    """
    return largest_of_blocks(patterns.astype(np.float32, copy=False), KEPT, KEPT)


def draw_mosaic(tiles: Array, names: tuple[str, str], scale: Scale, title: str, unit: str) -> "Figure":
    """Draw the tiles. Shapes: (R, C, T, T)."""
    rows, columns = tiles.shape[:2]
    side = min(KEPT, max(SMALLEST, ROOM // max(rows, columns) - GAP))
    pixels = joined(scale.rgb(square(tiles, side)))
    down, across = (Side(n=n, shown=n, pixels=side + GAP) for n in (rows, columns))
    axes = [(names[0], range(rows)), (names[1], range(columns))]
    note = "A pixel is the largest of the weights that share it." if tiles.shape[-1] > side else ""
    with cells_frame(down, across, axes, scale, title=title, unit=unit, note=note) as panel:
        panel.imshow(pixels, extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), aspect="auto")
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
    return panel.figure  # type: ignore[no-any-return]


def square(tiles: Array, side: int) -> Array:
    """Each tile in exactly `side` × `side` numbers."""
    return enlarged(largest_of_blocks(tiles, side, side), side, side)


def joined(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The tiles side by side on white. Shapes: (R, C, S, S, 3) -> (R (S + gap), C (S + gap), 3)."""
    half = GAP // 2
    rows, columns, side = tiles.shape[:3]
    framed = np.pad(tiles, ((0, 0), (0, 0), (half, half), (half, half), (0, 0)), constant_values=PAPER)
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * (side + GAP), columns * (side + GAP), 3)
