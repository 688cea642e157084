"""A matrix as colours, from a table of three rows to all positions of an embedding."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cutaway.plots import colour_bar, glyphs, ticks
from cutaway.plots.colours import Array, Scale, around, on, scale_of
from cutaway.plots.grid import Side, can_be_written, sides, written
from cutaway.plots.matrix import Axes, matrix, mean_of_blocks
from cutaway.plots.page import NAME_SIZE, PAD, framed
from cutaway.plots.ticks import Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT_SIZE, MAX_CELL_WIDTH, MIN_HEIGHT = 7.0, 54.0, 60.0
Texts = Sequence[Sequence[str]]


def draw_heat_map(
    values: ArrayLike,
    *,
    axes: Axes,
    title: str = "",
    unit: str = "",
    diverging: bool = False,
    sigmoid: bool = False,
    limits: tuple[float, float] | None = None,
    texts: Texts | None = None,
) -> "Figure":
    """A heat-map, with a colour bar; in the cells of a small one stand its numbers, or `texts`.

    `sigmoid` squeezes the values into 0 to 1 first, which shows small and large ones together. Colours reach from
    the lowest to the highest value, or less far where only a few lie beyond (the colour bar then ends in an arrow),
    or between `limits`. A matrix of more rows than pixels is drawn as means of neighbours, and says so.

    Raises: ConfigError for values that do not fit the axes, or have not two.
    """
    array = matrix(values, axes)
    if sigmoid:
        array, unit, diverging = 1 / (1 + np.exp(-array)), f"sigmoid of {unit or 'the value'}", False
        limits = limits or around(0.5, array)
    return draw_cells(array, axes, scale_of(array, diverging=diverging, limits=limits), title, unit, texts)


def draw_cells(
    array: Array, axes: Axes, scale: Scale, title: str = "", unit: str = "", texts: Texts | None = None
) -> "Figure":
    """The same, where the values are checked and their colours chosen."""
    if texts is None and can_be_written(*array.shape):
        texts = numbers(array)
    shown = None if texts is None else [[glyphs.label(text, 16) for text in row] for row in texts]
    down, across = sides(*array.shape) if shown is None else room_for(shown, axes[1][1])
    with cells_frame(
        down, across, axes, scale, title=title, unit=unit, note=notes(array, scale, down, across)
    ) as panel:
        paint(panel, mean_of_blocks(array, down.shown, across.shown), array.shape, scale)
        if shown is not None:
            write_texts(panel, shown, array, scale)
    return panel.figure  # type: ignore[no-any-return]


def numbers(array: Array) -> Texts:
    """The numbers for the cells, all with as many decimals as give the largest three digits."""
    largest = float(np.nanmax(np.abs(array), initial=0.0))
    whole = bool((np.nan_to_num(array) % 1 == 0).all())
    decimals = 2 - int(np.floor(np.log10(largest) - 1e-9)) if largest else 0
    form = f".{0 if whole else max(0, decimals)}f" if -3 <= decimals <= 5 else ".2g"
    return [["" if np.isnan(value) else f"{value:{form}}".replace("-", "−") for value in row] for row in array]


def room_for(texts: Texts, columns: Labels) -> tuple[Side, Side]:
    """Cells that hold the widest text, and if possible the label below them; a few rows are made higher."""
    widest = max(glyphs.width(text, TEXT_SIZE) for row in texts for text in row)
    label = max(glyphs.width(glyphs.label(text), ticks.SIZE) for text in columns)
    width = max(widest + 6, min(label + ticks.GAP + 1, MAX_CELL_WIDTH), 20.0)
    return written(len(texts), len(texts[0]), width, max(18.0, MIN_HEIGHT / len(texts)))


@contextmanager
def cells_frame(
    down: Side, across: Side, axes: Axes, scale: Scale, *, title: str, unit: str, note: str
) -> Iterator[Any]:
    """Empty axes for so many cells, with their labels and a colour bar."""
    (row_name, rows), (column_name, columns) = axes
    row_ticks, column_ticks = ticks.down(rows, down.pitch), ticks.across(columns, across.pitch)
    left = PAD + row_ticks.widest + (NAME_SIZE * 1.6 if row_name else 0) + 5
    bottom = PAD + column_ticks.depth + (NAME_SIZE * 1.6 if column_name else 0) + 7
    right = max(colour_bar.ROOM, column_ticks.overhang(across.pitch) + PAD)
    room = {"left": left, "right": right, "bottom": bottom}
    with framed(across.length, down.length, **room, title=title, note=note) as (figure, panel, low):
        ticks.put_down(panel, row_ticks, row_name)
        ticks.put_across(panel, column_ticks, column_name)
        colour_bar.draw_colour_bar(figure, (left + across.length, low, down.length), scale, unit)
        yield panel


def paint(panel: Any, array: Array, shape: tuple[int, ...], scale: Scale) -> None:
    """The colours themselves. `shape` is that of the whole matrix, of which `array` may hold means."""
    rows, columns = shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    panel.imshow(array, cmap=scale.map(), norm=scale.norm(), extent=extent, aspect="auto")
    panel.spines[:].set_visible(False)


def write_texts(panel: Any, texts: Texts, array: Array, scale: Scale) -> None:
    """A text into the middle of each cell, black or white as its colour asks."""
    pixels = scale.rgb(array)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = on(pixels[row, column])
            panel.text(column, row, text, size=TEXT_SIZE, color=colour, ha="center", va="center")


def notes(array: Array, scale: Scale, down: Side, across: Side) -> str:
    """What a reader must know to believe the colours."""
    parts = []
    if any(scale.beyond):
        known = array[~np.isnan(array)]
        n = int(((known < scale.low) | (known > scale.high)).sum())
        extremes = f"{known.min():.4g} to {known.max():.4g}".replace("-", "−")
        parts.append(f"{n:,} of {known.size:,} values lie beyond the colours: {extremes}.")
    if max(down.block, across.block) > 1:
        parts.append(f"A pixel is the mean of up to {down.block} × {across.block} values.")
    return " ".join(parts)
