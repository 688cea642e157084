"""Which labels along an axis are shown, so that none touches the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from cutaway.plots import glyphs

Labels = Sequence[str | int]

SIZE, SMALLEST_SIZE = 8.0, 5.5
AIRY = 2.5
"""The distance in sizes of numbers in a column of which most are left out."""

ASCENT = 0.8
"""How far most letters rise, in sizes of their font."""

GAP = 3.0
"""Points between two labels side by side."""


@dataclass(frozen=True, kw_only=True)
class Ticks:
    """Labels to show, and how: where they stand, what they say, whether they are turned upright."""

    places: tuple[int, ...]
    texts: tuple[str, ...]
    size: float
    upright: bool = False

    @property
    def widest(self) -> float:
        """The length in points of the longest label."""
        return max((glyphs.width(text, self.size) for text in self.texts), default=0.0)

    @property
    def line(self) -> float:
        """The height in points of a label."""
        return self.size * glyphs.LINE

    @property
    def depth(self) -> float:
        """How far the labels of columns reach down."""
        return self.widest if self.upright else self.line

    def overhang(self, pitch: float) -> float:
        """How far a label that lies may reach past the last column."""
        return 0.0 if self.upright else max(0.0, (self.widest - pitch) / 2)


def rounds() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, … without end."""
    for power in count():
        yield from (10**power, 2 * 10**power, 5 * 10**power)


def step_for(pitch: float, extent: float) -> int:
    """Every how many places there is room for a label of that extent: 1, 2, 5, 10 and so on."""
    return next(step for step in rounds() if step * pitch >= extent)


def down(labels: Labels, pitch: float) -> Ticks:
    """The labels of rows that stand `pitch` points apart."""
    if counting(labels):
        step = step_for(pitch, SIZE * glyphs.LINE)
        return chosen(labels, step if step == 1 else step_for(pitch, SIZE * AIRY), SIZE)
    size = fitting_size(pitch)
    return chosen(labels, step_for(pitch, size * glyphs.LINE), size)


def across(labels: Labels, pitch: float) -> Ticks:
    """The labels of columns that stand `pitch` points apart: lying while all fit, or where they only count."""
    lying = chosen(labels, 1, SIZE)
    step = step_for(pitch, lying.widest + GAP)
    if step == 1 or counting(labels):
        return chosen(labels, step, SIZE)
    size = fitting_size(pitch)
    return chosen(labels, step_for(pitch, size * glyphs.LINE), size, upright=True)


def counting(labels: Labels) -> bool:
    """Whether the labels are numbers, of which a few say where the others are."""
    return not any(isinstance(label, str) for label in labels)


def fitting_size(pitch: float) -> float:
    """The size of a font whose lines stand `pitch` apart, within what is neither tiny nor loud."""
    return min(SIZE, max(SMALLEST_SIZE, pitch / glyphs.LINE))


def chosen(labels: Labels, step: int, size: float, *, upright: bool = False) -> Ticks:
    """Every so-many-th label, from the first."""
    places = tuple(range(0, len(labels), step))
    return Ticks(places=places, texts=tuple(glyphs.label(labels[i]) for i in places), size=size, upright=upright)


def put_across(axes: Any, ticks: Ticks, name: str = "") -> None:
    """Set the labels and the name of the horizontal axis."""
    side = {"rotation": 90} if ticks.upright else {"verticalalignment": "baseline"}
    axes.set_xticks(ticks.places, ticks.texts, fontsize=ticks.size, **side)
    if not ticks.upright:
        # On one line, whatever reaches above or below it: `Ġ` is taller than `o`.
        axes.tick_params(axis="x", pad=ASCENT * ticks.size + 3)
    axes.set_xlabel(glyphs.visible(name))


def put_down(axes: Any, ticks: Ticks, name: str = "") -> None:
    """Set the labels and the name of the vertical axis."""
    axes.set_yticks(ticks.places, ticks.texts, fontsize=ticks.size)
    axes.set_ylabel(glyphs.visible(name))
