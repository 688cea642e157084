"""Points in a plane, some of them named."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots import glyphs
from cutaway.plots.colour_bar import ROOM, draw_colour_bar
from cutaway.plots.colours import CYCLE, Array, scale_of
from cutaway.plots.library import matplotlib
from cutaway.plots.page import FAINT_INK, PAD, framed
from cutaway.plots.ticks import Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 400.0
LEFT, BELOW = 50.0, 40.0
SIZE, AWAY = 7.0, 3.0


class Box(NamedTuple):
    """A rectangle in points."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def lies_in(self, other: "Box") -> bool:
        """Whether all of it is inside the other."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.bottom <= self.bottom
            and self.top <= other.top
        )


def draw_scatter(
    points: ArrayLike,
    *,
    names: tuple[str, str] = ("", ""),
    labels: Labels | None = None,
    values: ArrayLike | None = None,
    title: str = "",
    unit: str = "",
    diverging: bool = False,
) -> "Figure":
    """Points, coloured by `values` if given, and as many of the `labels`, the first first, as find free room.

    An empty label is left out, so that a few among many points can be named.

    Shapes: points (N, 2), values (N,)

    Raises: ConfigError for points, labels and values that do not fit each other.
    """
    array, numbers = checked(points, labels, values)
    scale = None if numbers is None else scale_of(numbers, diverging=diverging)
    right = 2 * PAD if scale is None else ROOM
    with framed(SIDE, SIDE, left=LEFT, right=right, bottom=BELOW, title=title) as (figure, axes, low):
        colours = CYCLE[0] if scale is None or numbers is None else scale.rgb(numbers) / 255
        axes.scatter(*array.T, s=dot_area(len(array)), c=colours, linewidths=0)
        name_axes(axes, names)
        if labels is not None:
            name_points(axes, array, [glyphs.label(text) if text != "" else "" for text in labels])
        if scale is not None:
            draw_colour_bar(figure, (LEFT + SIDE, low, SIDE), scale, unit)
    return figure  # type: ignore[no-any-return]


def name_axes(axes: Any, names: tuple[str, str]) -> None:
    """Say what runs across and up."""
    axes.margins(0.04)
    axes.set_xlabel(glyphs.visible(names[0]))
    axes.set_ylabel(glyphs.visible(names[1]))
    axes.spines[["top", "right"]].set_visible(False)


def checked(points: ArrayLike, labels: Labels | None, values: ArrayLike | None) -> tuple[Array, Array | None]:
    """Points and values as numbers that fit."""
    array = np.asarray(points, dtype=np.float64)
    numbers = None if values is None else np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not array.size or not np.isfinite(array).all():
        raise ConfigError(f"points of shape {array.shape} cannot be drawn; give finite ones of shape (N, 2)")
    sizes = {
        len(array),
        *([len(labels)] if labels is not None else []),
        *([len(numbers)] if numbers is not None else []),
    }
    if len(sizes) > 1:
        raise ConfigError(f"points, labels and values count {sorted(sizes)}; give as many of each")
    return array, numbers


def dot_area(n: int) -> float:
    """The area of a point in square points: smaller, the more there are."""
    return float(np.clip(3000 / n, 1.5, 22.0))


def name_points(axes: Any, points: Array, labels: Sequence[str]) -> None:
    """Write the labels that find room beside their points."""
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    to_points = axes.transData + axes.transAxes.inverted()
    places = to_points.transform(points) * SIDE
    sizes = [(glyphs.width(label, SIZE), SIZE * glyphs.LINE) if label else None for label in labels]
    halo = [matplotlib().patheffects.withStroke(linewidth=2, foreground="white")]
    for i, box in enumerate(placed(places, sizes, Box(0, 0, SIDE, SIDE))):
        if box is not None:
            x, y = box.left / SIDE, (box.bottom + box.top) / 2 / SIDE
            axes.text(x, y, labels[i], size=SIZE, va="center", ha="left", transform=axes.transAxes, path_effects=halo)
            axes.plot(*points[i], "o", markersize=2.4, color=FAINT_INK, zorder=3)


def placed(places: Array, sizes: Sequence[tuple[float, float] | None], room: Box) -> list[Box | None]:
    """A box for each label beside its point, inside the room and clear of those before it; none where there is none."""
    taken: list[Box] = []
    found: list[Box | None] = []
    for (x, y), size in zip(places, sizes, strict=True):
        tries = beside(x, y, *size) if size else iter(())
        free = (box for box in tries if box.lies_in(room) and not any(box.meets(other) for other in taken))
        found.append(box := next(free, None))
        taken += [box] if box else []
    return found


def beside(x: float, y: float, width: float, height: float) -> Iterator[Box]:
    """The places for a label around its point, the best first."""
    for left in (x + AWAY, x - AWAY - width, x - width / 2):
        level = (y - height / 2,) if left != x - width / 2 else ()
        for bottom in (*level, y + AWAY, y - AWAY - height):
            yield Box(left, bottom, left + width, bottom + height)
