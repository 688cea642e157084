"""A figure with exact room around its axes, drawn without a window and alike on every machine."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cutaway.plots import glyphs
from cutaway.plots.library import matplotlib

DPI = 150
PIXEL = 72 / DPI
"""A pixel of a PNG, in points."""

PAD = 9.0
TITLE_SIZE, NOTE_SIZE, NAME_SIZE = 10.5, 7.0, 8.5
MIN_WIDTH = 240.0
INK, FAINT_INK = "#222222", "#777777"

STYLE = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.labelsize": NAME_SIZE,
    "axes.linewidth": 0.6,
    "axes.edgecolor": FAINT_INK,
    "axes.labelcolor": INK,
    "axes.labelpad": 3.0,
    "text.color": INK,
    # A token may well be `$`, which would begin a formula.
    "text.parse_math": False,
    # Letters of their true width, as in an SVG or PDF, not rounded to whole pixels.
    "text.hinting": "none",
    **{f"{side}tick.color": FAINT_INK for side in "xy"},
    **{f"{side}tick.labelcolor": INK for side in "xy"},
    **{f"{side}tick.major.size": 2.0 for side in "xy"},
    **{f"{side}tick.major.width": 0.6 for side in "xy"},
    # Room enough that the lowest label of the vertical axis and the first of the horizontal one do not touch.
    "xtick.major.pad": 4.0,
    "ytick.major.pad": 2.0,
    "image.interpolation": "nearest",
    "svg.hashsalt": "cutaway",
    # Whole fonts' outlines rather than Type 3, so that the text of a PDF can be searched and copied.
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Inside, matplotlib draws as this package does, whatever the user's own settings are."""
    with matplotlib().style.context(["default", STYLE]):
        yield


@contextmanager
def page(width: float, height: float) -> Iterator[Any]:
    """A blank figure of so many points, to draw on inside."""
    with styled():
        figure = matplotlib().figure.Figure(figsize=(whole(width) / 72, whole(height) / 72))
        matplotlib().backends.backend_agg.FigureCanvasAgg(figure)
        # A notebook asks for this, and shows the picture.
        figure._repr_png_ = lambda: png(figure)
        yield figure


@contextmanager
def framed(
    width: float,
    height: float,
    *,
    left: float = PAD,
    right: float = PAD,
    bottom: float = PAD,
    title: str = "",
    note: str = "",
) -> Iterator[tuple[Any, Any, float]]:
    """A figure and axes of exactly that size in points, with room around them, a title above and a note below.

    The third is where the axes begin, in points from below.
    """
    total = max(left + width + right, MIN_WIDTH)
    titles = glyphs.wrapped(title, total - 2 * PAD, TITLE_SIZE, glyphs.BOLD)
    notes = glyphs.wrapped(note, total - 2 * PAD, NOTE_SIZE)
    top = whole(PAD + len(titles) * TITLE_SIZE * glyphs.LINE + (PAD / 2 if titles else 0))
    bottom = whole(bottom + len(notes) * NOTE_SIZE * glyphs.LINE + (PAD / 2 if notes else 0))
    with page(total, top + whole(height) + bottom) as figure:
        axes = place(figure, left, bottom, width, height)
        write(figure, PAD, top + height + bottom - PAD, titles, TITLE_SIZE, INK, weight="bold")
        write(figure, PAD, PAD * 0.7 + len(notes) * NOTE_SIZE * glyphs.LINE, notes, NOTE_SIZE, FAINT_INK)
        yield figure, axes, bottom


def place(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """New axes at so many points from the lower left corner, on whole pixels."""
    across, up = (inches * 72 for inches in figure.get_size_inches())
    left, bottom, width, height = map(whole, (left, bottom, width, height))
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def write(figure: Any, left: float, top: float, lines: list[str], size: float, colour: str, **font: Any) -> None:
    """Lines of text whose upper left corner is so many points from the lower left one of the figure."""
    across, up = (inches * 72 for inches in figure.get_size_inches())
    if lines:
        text = "\n".join(lines)
        figure.text(left / across, top / up, text, va="top", size=size, color=colour, linespacing=1.15, **font)


def whole(points: float) -> float:
    """The next whole number of pixels, so that cells of a matrix are not smeared over two."""
    return math.ceil(points / PIXEL - 1e-6) * PIXEL


def png(figure: Any) -> bytes:
    """The figure as the bytes of a PNG."""
    return encoded(figure, "png")


def encoded(figure: Any, kind: str) -> bytes:
    """The figure as the bytes of a `png`, `svg` or `pdf`, the same each time: without dates or names of programs."""
    metadata: dict[str, dict[str, None]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    with styled():
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, metadata=metadata[kind])
    return stream.getvalue()
