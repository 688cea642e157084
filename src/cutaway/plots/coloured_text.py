"""A text whose tokens have colours, such as how surprising each was."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots.colour_bar import ROOM, draw_colour_bar
from cutaway.plots.colours import Scale, on, scale_of
from cutaway.plots.library import matplotlib
from cutaway.plots.matrix import checked
from cutaway.plots.page import PAD, framed
from cutaway.plots.text_flow import Piece, TextFlow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 84
SIZE, PITCH = 9.0, 15.0
LETTER = SIZE * 0.6020508
"""DejaVu Sans Mono: every letter moves 1,233 of 2,048 units."""

MAX_LINES = 400


def draw_text(
    values: ArrayLike, *, tokens: Sequence[str], title: str = "", unit: str = "", diverging: bool = False
) -> "Figure":
    """The tokens one after the other, as text, each on its colour.

    Raises: ConfigError for values that do not fit the tokens, or a text too long for a picture.
    """
    array = checked(values, [("token", tokens)])
    flow = TextFlow(COLUMNS)
    pieces = [piece for token in tokens for piece in flow.add(token)]
    lines = pieces[-1].line + 1
    if lines > MAX_LINES:
        raise ConfigError(f"{lines:,} lines are too long for a picture; choose tokens for at most {MAX_LINES}")
    known = array[~np.isnan(array)]
    limits = None if diverging or not known.size or known.min() < 0 else (0.0, float(known.max()) or 1.0)
    scale = text_scale(scale_of(array, diverging=diverging, limits=limits))
    width, height = COLUMNS * LETTER, max(lines, 3) * PITCH
    with framed(width, height, right=ROOM, bottom=PAD, title=title) as (figure, axes, low):
        axes.set(xlim=(0, COLUMNS), ylim=(height / PITCH, 0))
        axes.set_axis_off()
        write_pieces(axes, pieces, scale.rgb(array))
        draw_colour_bar(figure, (PAD + width, low, height), scale, unit)
    return figure  # type: ignore[no-any-return]


def text_scale(scale: Scale) -> Scale:
    """The same on paper that stays white where little happens, so that the text reads as text."""
    colours = scale.colours if scale.colours == "RdBu_r" else "Oranges"
    return Scale(low=scale.low, high=scale.high, beyond=scale.beyond, colours=colours)


def write_pieces(axes: Any, pieces: Sequence[Piece], pixels: Any) -> None:
    """The colours, then the letters over them."""
    corners = [(piece.column, piece.line + 0.06, len(piece.text)) for piece in pieces]
    boxes = [[(x, y), (x + n, y), (x + n, y + 0.88), (x, y + 0.88)] for x, y, n in corners]
    backgrounds = pixels[[piece.token for piece in pieces]]
    axes.add_collection(matplotlib().collections.PolyCollection(boxes, facecolors=backgrounds / 255, linewidths=0))
    for piece, background in zip(pieces, backgrounds, strict=True):
        font = {"family": "DejaVu Sans Mono", "size": SIZE, "color": on(background)}
        axes.text(piece.column, piece.line + 0.5, piece.text, va="center_baseline", ha="left", **font)
