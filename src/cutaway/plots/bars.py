"""Bars from zero to left and right: what each of a few named things adds."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots import glyphs
from cutaway.plots.colours import CYCLE, NEGATIVE, POSITIVE, Array
from cutaway.plots.matrix import matrix
from cutaway.plots.page import FAINT_INK, NAME_SIZE, PAD, framed
from cutaway.plots.ticks import SIZE, Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, PITCH = 260.0, 13.0
MAX_BARS = 100


def draw_bars(
    values: ArrayLike,
    *,
    labels: Labels,
    name: str = "",
    title: str = "",
    unit: str = "",
    diverging: bool = True,
    largest: int | None = None,
) -> "Figure":
    """A bar for each label, red above zero and blue below, with its number.

    In the order given, or with `largest` only so many, from the largest in size down; a note then says how much
    the others make together.

    Raises: ConfigError for values that do not fit the labels, or more bars than one can read.
    """
    array = matrix(values, [(name, labels)], 1)
    order = chosen(array, largest)
    texts = [glyphs.label(labels[i]) for i in order.tolist()]
    numbers = ["" if np.isnan(value) else number(value) for value in array[order]]
    left = PAD + max(glyphs.width(text, SIZE) for text in texts) + (NAME_SIZE * 1.6 if name else 0) + 5
    room = {"left": left, "right": PAD, "bottom": 32.0 if unit else 20.0}
    with framed(WIDTH, PITCH * len(order), title=title, note=rest(array, order), **room) as (figure, axes, _):
        lay(axes, np.nan_to_num(array[order]), numbers, diverging=diverging)
        axes.set_yticks(range(len(order)), texts, fontsize=SIZE)
        axes.set_ylabel(glyphs.visible(name))
        axes.set_xlabel(glyphs.label(unit, 60))
    return figure  # type: ignore[no-any-return]


def chosen(array: Array, largest: int | None) -> Array:
    """The places of the bars to draw.

    Raises: ConfigError for none, or more than one can read.
    """
    order = np.arange(len(array)) if largest is None else by_size(array)[: max(largest, 0)]
    if not 0 < len(order) <= MAX_BARS:
        raise ConfigError(f"{len(order):,} bars make no picture; choose with largest=1 to {MAX_BARS}")
    return order


def number(value: float) -> str:
    """The number at the end of a bar: three digits."""
    text = f"{value:.3g}" if abs(value) < 1e4 else f"{value:.1e}"
    return text.replace("-", "−").replace("e−0", "e−").replace("e+0", "e")


def by_size(array: Array) -> Array:
    """The places from the largest in size down; missing numbers come last, equal ones in their order."""
    return np.argsort(-np.nan_to_num(np.abs(array), nan=-1.0), kind="stable")


def rest(array: Array, order: Array) -> str:
    """What is not drawn, in words."""
    others = np.delete(array, order)
    return f"{len(others):,} smaller ones add up to {number(float(np.nansum(others)))}." if len(others) else ""


def lay(axes: Any, values: Array, numbers: list[str], *, diverging: bool) -> None:
    """The bars, with room at their ends for the numbers."""
    colours = [POSITIVE if value > 0 else NEGATIVE for value in values] if diverging else CYCLE[0]
    axes.barh(range(len(values)), values, height=0.72, color=colours)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    # A share of the width, such that what is left holds the bars.
    share = (max(map(len, numbers)) * SIZE * 0.62 + 6) / WIDTH
    reach = (high - low or 1.0) / (1 - share * (1 + (low < 0 < high)))
    axes.set_xlim(low - share * reach * (low < 0), high + share * reach * (high > 0 or low == 0))
    for i, (value, text) in enumerate(zip(values, numbers, strict=True)):
        end, side = (3, "left") if value >= 0 else (-3, "right")
        axes.annotate(
            text, (value, i), (end, 0), textcoords="offset points", ha=side, va="center", size=7, color=FAINT_INK
        )
    axes.axvline(0, color=FAINT_INK, linewidth=0.6)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)
