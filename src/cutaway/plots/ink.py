"""The 256 colours of an animation, and text drawn in them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.plots import glyphs
from cutaway.plots.colours import NOTHING_RGB, SEQUENTIAL, Array, Scale, table
from cutaway.plots.library import pillow

Pixels = NDArray[np.uint8]

SHADES = 32
N_COLOURS = 256 - 2 * SHADES - 2
PAPER_TEXT = N_COLOURS
"""The first of the shades from paper to ink."""

MARKED_TEXT = PAPER_TEXT + SHADES
"""The first of the shades from the colour of a mark to ink."""

EMPTY = MARKED_TEXT + SHADES
"""Where no number is yet."""

UNCHANGED = 255
PAPER, INK, MARK = (255, 255, 255), (34, 34, 34), (255, 176, 59)


@cache
def palette() -> Pixels:
    """All colours. Shapes: (256, 3)."""
    shades = np.linspace(0, 1, SHADES)[:, None]
    ramps = [np.rint(np.array(ground) * (1 - shades) + np.array(INK) * shades) for ground in (PAPER, MARK)]
    rows = [table(SEQUENTIAL, N_COLOURS), *ramps, np.array([NOTHING_RGB, PAPER])]
    return np.concatenate(rows).astype(np.uint8)


def indices(values: Array, scale: Scale) -> Pixels:
    """The colours of the numbers, as places in the palette."""
    missing = np.isnan(values)
    unit = np.clip((np.where(missing, scale.low, values) - scale.low) / (scale.high - scale.low), 0, 1)
    return np.where(missing, EMPTY, unit**scale.power * (N_COLOURS - 0.001)).astype(np.uint8)


@cache
def font(name: str, size: int) -> Any:
    """The font for Pillow, letters placed without further ado, so that they stand alike on every machine."""
    fonts = pillow().ImageFont
    return fonts.truetype(str(glyphs.font_file(name)), size, layout_engine=fonts.Layout.BASIC)


def draw_words(pixels: Pixels, left: int, top: int, text: str, size: int, *, shades: int = PAPER_TEXT) -> None:
    """Write a line of text of the proportional font on the pixels, cut off at their right."""
    shown = glyphs.visible(text)
    width, height = min(int(glyphs.width(shown, size)) + 4, pixels.shape[1] - left), int(size * 1.3)
    image = pillow().Image.new("L", (width, height))
    pillow().ImageDraw.Draw(image).text((0, 0), shown, fill=255, font=font(glyphs.SANS, size))
    pixels[top : top + height, left : left + width] = shades + np.asarray(image) // (256 // SHADES)


@cache
def letter(character: str, width: int, height: int, size: int) -> Pixels:
    """One letter of the equally wide font as shades from 0 to 31. Shapes: (height, width)."""
    image = pillow().Image.new("L", (width, height))
    pillow().ImageDraw.Draw(image).text(
        (0, (height - size) // 2 - 1), character, fill=255, font=font(glyphs.MONO, size)
    )
    return np.asarray(image) // (256 // SHADES)


def draw_letters(pixels: Pixels, left: int, top: int, cells: Sequence[Pixels], shades: int) -> None:
    """Put letters side by side on the pixels."""
    strip = np.concatenate(cells, axis=1)
    height, width = strip.shape
    pixels[top : top + height, left : left + width] = shades + strip
