"""Text that can be drawn: what the font has as itself, everything else as a visible escape; and how wide it gets."""

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from cutaway.plots.library import matplotlib

SANS, BOLD, MONO = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"
"""The fonts that come with matplotlib, so that a picture is the same on every machine."""

LINE = 1.25
"""The height of a line of text, in sizes of its font."""

MAX_LABEL = 24
OPEN_BOX = "␣"


@cache
def font_file(font: str) -> Path:
    """Where the font lies."""
    return Path(matplotlib().get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"


@cache
def characters(font: str) -> frozenset[int]:
    """The code points that the font can draw."""
    return frozenset(_face(font).get_charmap())


@cache
def _face(font: str) -> Any:
    # Our own: the one that matplotlib keeps changes its size with each text that is drawn.
    face = matplotlib().ft2font.FT2Font(str(font_file(font)))
    face.set_size(100, 72)
    return face


def visible(text: str, font: str = SANS) -> str:
    r"""The text with escapes, such as `\n` or `\u4e2d`, for what is invisible or missing in the font."""
    known = characters(font)
    return "".join(
        character
        if character.isprintable() and ord(character) in known and not unicodedata.combining(character)
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def label(text: object, limit: int = MAX_LABEL) -> str:
    """A short text for one place of an axis: spaces at its ends are shown as `␣`, a long one is cut with `…`."""
    words = str(text)
    core = words.strip(" ")
    start = len(words) - len(words.lstrip(" ")) if core else len(words)
    shown = visible(OPEN_BOX * start + core + OPEN_BOX * (len(words) - start - len(core)))
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def width(text: str, size: float, font: str = SANS) -> float:
    """How many points wide a line of text is at a size in points; kerning can only draw it together."""
    return sum(advance(character, font) for character in text) * size / 100


@cache
def advance(character: str, font: str) -> float:
    """How far a character moves the pen, at a size of 100 points."""
    return float(_face(font).load_char(ord(character)).linearHoriAdvance) / 0x10000


def wrapped(text: str, room: float, size: float, font: str = SANS) -> list[str]:
    """The text in lines of at most `room` points, broken between words; a longer word keeps a line to itself."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in visible(paragraph, font).split(" "):
            longer = f"{line} {word}" if line else word
            if line and width(longer, size, font) > room:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines if text else []
