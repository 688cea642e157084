"""The legend of a heat-map: which number has which colour."""

from typing import Any

from cutaway.plots import glyphs
from cutaway.plots.colours import Scale
from cutaway.plots.library import matplotlib
from cutaway.plots.page import PAD, place

ROOM = 72.0
"""Points that a colour bar takes to the right of its matrix."""

WIDTH, GAP, MAX_HEIGHT = 9.0, 10.0, 260.0
TICK_ROOM = 11.0
SPREAD_TICKS = (0.0, 1.0, 0.25, 0.1, 0.5, 0.01, 0.05)
"""For weights from 0 to 1 whose colours follow a root; the first ones stay where there is little room."""


def draw_colour_bar(figure: Any, right_of: tuple[float, float, float], scale: Scale, unit: str) -> None:
    """A colour bar at the upper right of a matrix whose right, bottom and height are given in points."""
    right, bottom, height = right_of
    length = min(height, MAX_HEIGHT)
    bar = place(figure, right + GAP, bottom + height - length, WIDTH, length)
    colours = matplotlib().cm.ScalarMappable(scale.norm(), scale.map())
    spread = spread_ticks(scale, length) if scale.power != 1 else None
    legend = figure.colorbar(colours, cax=bar, extend=scale.extend, extendfrac=0.04, ticks=spread)
    if not spread:
        legend.locator = matplotlib().ticker.MaxNLocator(max(2, min(8, int(length / 20))))
    legend.outline.set_visible(False)
    legend.set_label(glyphs.label(unit, 60), labelpad=PAD / 2)
    if spread:
        legend.ax.set_yticklabels([f"{tick:g}" for tick in spread])


def spread_ticks(scale: Scale, length: float) -> list[float]:
    """The weights for which there is room beside the colours."""
    chosen: list[float] = []
    for tick in SPREAD_TICKS:
        if all(abs(tick**scale.power - other**scale.power) * length >= TICK_ROOM for other in chosen):
            chosen.append(tick)
    return sorted(chosen)
