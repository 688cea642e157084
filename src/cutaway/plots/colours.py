"""From numbers to colours that people with any eyesight can tell apart."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import ConfigError
from cutaway.plots.library import matplotlib

Array = NDArray[Any]

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
POSITIVE, NEGATIVE = "#b2182b", "#2166ac"
"""The ends of the diverging map, for bars."""

CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")
"""Source: Okabe and Ito 2008, "Color Universal Design"."""

NOTHING = "#f1f1f1"
"""Where there is no number, such as the future in an attention pattern."""

OUTER_PERCENT = 0.5
FAR = 2.0
"""Colours follow the values between the outer percentiles where the extremes reach this many times further."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Which numbers the ends of a colour map stand for; a power under 1 spreads the small ones.

    Raises: ConfigError when the ends are not two finite numbers in order.
    """

    low: float
    high: float
    colours: str = SEQUENTIAL
    power: float = 1.0
    beyond: tuple[bool, bool] = (False, False)
    """Whether there are values below and above, which take the colours at the ends."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"colours from {self.low} to {self.high} are impossible; give two numbers in order")

    @property
    def extend(self) -> str:
        """Which ends of the colour bar are arrows."""
        return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
            self.beyond
        ]

    def norm(self) -> Any:
        """The same for matplotlib."""
        colors = matplotlib().colors
        if self.power == 1:
            return colors.Normalize(self.low, self.high)
        return colors.PowerNorm(self.power, self.low, self.high)

    def map(self) -> Any:
        """The colour map, with the colour of missing numbers."""
        return matplotlib().colormaps[self.colours].with_extremes(bad=NOTHING)

    def rgb(self, values: Array) -> NDArray[np.uint8]:
        """Pixels. Shapes: (…) -> (…, 3)."""
        missing = np.isnan(values)
        unit = np.clip((np.where(missing, self.low, values) - self.low) / (self.high - self.low), 0, 1)
        pixels = table(self.colours)[(unit**self.power * 255.999).astype(np.uint8)]
        pixels[missing] = NOTHING_RGB
        return pixels


NOTHING_RGB = tuple(bytes.fromhex(NOTHING[1:]))


@cache
def table(colours: str, n: int = 256) -> NDArray[np.uint8]:
    """The map as pixels. Shapes: (n, 3)."""
    return np.asarray(matplotlib().colormaps[colours](np.linspace(0, 1, n), bytes=True)[:, :3])


def scale_of(
    values: Array, *, diverging: bool = False, limits: tuple[float, float] | None = None, power: float = 1.0
) -> Scale:
    """The colours for these values: from the lowest to the highest, or less far where only a few go beyond.

    Where the values diverge, zero takes the middle.
    """
    known = values[np.isfinite(values)]
    low, high = limits or span(known, diverging=diverging)
    beyond = (bool((known < low).any()), bool((known > high).any()))
    colours = DIVERGING if diverging else SEQUENTIAL
    return Scale(low=low, high=high, colours=colours, power=power, beyond=beyond)


def span(known: Array, *, diverging: bool = False) -> tuple[float, float]:
    """The two numbers for the ends of the map."""
    if not known.size:
        return (-1.0, 1.0) if diverging else (0.0, 1.0)
    known = known.astype(np.float64)
    if diverging:
        reach = inner_reach(np.abs(known)) or 1.0
        return -reach, reach
    middle = float(np.median(known))
    low, high = end(known[known <= middle], middle), end(known[known >= middle], middle)
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def end(values: Array, middle: float) -> float:
    """The outermost of the values on one side of the middle, or nearer to it where only a few lie far out."""
    distances = np.abs(values - middle)
    reach, outermost = inner_reach(distances), float(values[distances.argmax()])
    # Not the middle and the distance again: that is not always the number it came from.
    return outermost if reach == distances.max() else middle + math.copysign(reach, outermost - middle)


def around(middle: float, values: Array) -> tuple[float, float] | None:
    """Ends equally far from a middle that means something; none where nothing differs from it."""
    known = values[np.isfinite(values)]
    reach = inner_reach(np.abs(known - middle)) if known.size else 0.0
    return (middle - reach, middle + reach) if reach else None


def inner_reach(distances: Array) -> float:
    """How far the distances go, or all but the outermost where there are many and those lie far out."""
    furthest, most = float(distances.max()), float(np.percentile(distances, 100 - OUTER_PERCENT))
    if distances.size * OUTER_PERCENT < 100:
        return furthest
    return most if most > 0 and furthest > FAR * most else furthest


def on(background: Array) -> str:
    """Black or white, whichever can be read on a colour of 0 to 255.

    Source: WCAG 2.2, relative luminance and contrast.
    """
    linear = np.where(
        background / 255 <= 0.04045, background / 255 / 12.92, ((background / 255 + 0.055) / 1.055) ** 2.4
    )
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"
