"""Curves side by side in one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cutaway.errors import ConfigError
from cutaway.plots import glyphs
from cutaway.plots.colours import CYCLE, table
from cutaway.plots.page import PAD, framed, place
from cutaway.plots.ticks import SIZE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]] | NDArray[Any]

WIDTH, HEIGHT = 380.0, 230.0
LEFT, BELOW = 56.0, 36.0
LEGEND_DASH = 24.0
MAX_CURVES, NAMES_IN_COLUMN = 60, 20
FEW_POINTS = 20
GRID = "#dddddd"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes and its curves, by name; `smooth` adds the mean of so many points around each."""

    title: str
    x_label: str
    curves: Mapping[str, Points]
    y_label: str = ""
    smooth: int = 0

    @property
    def legend_width(self) -> float:
        """Points that the names of the curves take, to their right."""
        names = [glyphs.label(name) for name in self.curves if name]
        return self.legend_columns * max((glyphs.width(name, SIZE) + LEGEND_DASH + PAD for name in names), default=0.0)

    @property
    def legend_columns(self) -> int:
        """How many columns the names make."""
        return -(-len(self.curves) // NAMES_IN_COLUMN)


def draw_curves(panels: Sequence[Panel], *, title: str = "") -> "Figure":
    """Draw the panels next to each other.

    Raises: ConfigError when there is nothing to draw, or too much for colours to tell apart.
    """
    check(panels)
    rights = [max(panel.legend_width, 2 * PAD) for panel in panels]
    width = sum(LEFT + WIDTH + right for right in rights) - LEFT - rights[-1]
    heading = 2 * PAD if any(panel.title for panel in panels) else PAD / 2
    room = framed(width, HEIGHT + heading, left=LEFT, right=rights[-1] + PAD, bottom=BELOW, title=title)
    with room as (figure, whole, low):
        whole.set_axis_off()
        x = LEFT
        for panel, right in zip(panels, rights, strict=True):
            axes = place(figure, x, low, WIDTH, HEIGHT)
            draw_panel(axes, panel)
            x += WIDTH + right + LEFT
    return figure  # type: ignore[no-any-return]


def check(panels: Sequence[Panel]) -> None:
    """Refuse what makes no picture."""
    if not panels:
        raise ConfigError("there are no curves to draw; give at least one panel")
    for panel in panels:
        if len(panel.curves) > MAX_CURVES:
            raise ConfigError(f"{len(panel.curves)} curves in one panel are too many; choose at most {MAX_CURVES}")
        for name, points in panel.curves.items():
            if np.ndim(points) != 2 or np.shape(points)[1] != 2:
                raise ConfigError(f"curve {name!r} of {panel.title!r} has no points; give pairs (x, y)")


def draw_panel(axes: Any, panel: Panel) -> None:
    """Fill a pair of axes."""
    for (name, points), colour in zip(panel.curves.items(), colours(len(panel.curves)), strict=False):
        x, y = np.asarray(points, dtype=np.float64).T
        marker = {"marker": "o", "markersize": 3} if len(x) < FEW_POINTS else {}
        faint = {"alpha": 0.35, "linewidth": 0.7} if panel.smooth else {"linewidth": 1.2}
        axes.plot(x, y, label=glyphs.label(name), color=colour, **faint, **marker)
        if panel.smooth:
            axes.plot(x, running_mean(y, panel.smooth), color=colour, linewidth=1.4)
    axes.set_title(glyphs.label(panel.title, 70), loc="left", size=9.5)
    axes.set_xlabel(glyphs.visible(panel.x_label))
    axes.set_ylabel(glyphs.visible(panel.y_label))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    if any(panel.curves):
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.02), "ncols": panel.legend_columns}
        axes.legend(frameon=False, handlelength=1.6, borderpad=0.2, columnspacing=1.0, **beside)


def colours(n: int) -> Any:
    """Colours for so many curves: distinct ones, or for many a row of shades."""
    return CYCLE if n <= len(CYCLE) else table("viridis", n + 1)[:n] / 255


def running_mean(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The mean of the `n` numbers around each, of fewer at the ends and where some are missing."""
    known = ~np.isnan(values)
    sums, counts = (np.concatenate([[0.0], np.cumsum(row)]) for row in (np.where(known, values, 0.0), known))
    places = np.arange(len(values))
    first, last = np.maximum(places - (n - 1) // 2, 0), np.minimum(places + n // 2, len(values) - 1) + 1
    n_known = counts[last] - counts[first]
    means = np.full(len(values), np.nan)
    np.divide(sums[last] - sums[first], n_known, out=means, where=n_known > 0)
    return means


def draw_along(
    values: ArrayLike, *, name: str, start: int = 0, title: str = "", unit: str = "", smooth: int = 0
) -> "Figure":
    """One curve along positions, dimensions or steps, from `start` on: `smooth=32` adds its running mean.

    Raises: ConfigError for values that are not a row of numbers.
    """
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 1 or not y.size:
        raise ConfigError(f"numbers of shape {y.shape} are no curve; give a row of them")
    points = np.stack([start + np.arange(len(y)), y], axis=1)
    return draw_curves([Panel(title="", x_label=name, y_label=unit, curves={"": points}, smooth=smooth)], title=title)
