"""One way to draw any labelled numbers."""

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots.bars import draw_bars
from cutaway.plots.colours import scale_of
from cutaway.plots.curves import draw_along
from cutaway.plots.heat_map import draw_heat_map
from cutaway.plots.matrix import Axes, checked
from cutaway.plots.panels import draw_matrices
from cutaway.plots.ticks import Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 60


def draw(values: ArrayLike, *, axes: Axes, title: str = "", unit: str = "", diverging: bool = False) -> "Figure":
    """Draw numbers by how many axes they have: bars or a line for one, a heat-map for two, small ones for three.

    Raises: ConfigError for values that do not fit the axes, or have none or more than three.
    """
    array = checked(values, axes)
    if array.ndim == 1:
        name, labels = axes[0]
        if len(labels) <= MOST_BARS:
            return draw_bars(array, labels=labels, name=name, title=title, unit=unit, diverging=diverging)
        return draw_along(array, name=name, start=first_of(labels), title=title, unit=unit)
    if array.ndim == 2:
        return draw_heat_map(array, axes=axes, title=title, unit=unit, diverging=diverging)
    if array.ndim == 3:
        return draw_matrices(array, axes, scale_of(array, diverging=diverging), title, unit)
    raise ConfigError(f"numbers with {array.ndim} axes cannot be drawn; choose a place of all but one, two or three")


def first_of(labels: Labels) -> int:
    """Where a curve begins: at the first label where they count on from it, as frequencies do from 1, else at 0."""
    first = labels[0]
    return first if isinstance(first, int) and all(label == first + i for i, label in enumerate(labels)) else 0
