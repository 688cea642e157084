"""How often numbers of each size occur."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots import glyphs
from cutaway.plots.colours import CYCLE
from cutaway.plots.curves import BELOW, HEIGHT, LEFT, WIDTH
from cutaway.plots.page import PAD, framed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_histogram(
    counts: ArrayLike, edges: ArrayLike, *, title: str = "", name: str = "value", logarithmic: bool = False
) -> "Figure":
    """The counts between the edges, as `numpy.histogram` returns them.

    Raises: ConfigError when there is not one edge more than counts, or nothing was counted.
    """
    heights, borders = np.asarray(counts, dtype=np.float64), np.asarray(edges, dtype=np.float64)
    if heights.ndim != 1 or not heights.size or borders.shape != (heights.size + 1,):
        raise ConfigError(f"{heights.shape} counts do not lie between {borders.shape} edges; give one edge more")
    with framed(WIDTH, HEIGHT, left=LEFT + PAD, right=2 * PAD, bottom=BELOW, title=title) as (figure, axes, _):
        axes.stairs(heights, borders, fill=True, color=CYCLE[0])
        if logarithmic:
            axes.set_yscale("log", nonpositive="clip")
            axes.set_ylim(bottom=0.5)
        axes.yaxis.set_major_formatter(plain)
        axes.set_xlabel(glyphs.visible(name))
        axes.set_ylabel("count")
        axes.margins(x=0.01)
        axes.spines[["top", "right"]].set_visible(False)
    return figure  # type: ignore[no-any-return]


def plain(value: float, place: Any = None) -> str:
    """A number in full: 10,000, not a power of ten, which would need a formula."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
