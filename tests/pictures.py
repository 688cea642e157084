"""What one can measure in a figure: pixels, and where its texts stand."""

import io
from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib, the extra `plot`, is not installed")

from PIL import Image

from cutaway.plots.page import encoded, styled

PIECES = [
    "Once",
    "Ġupon",
    "\n",
    "東京",
    "\U0001f98a",
    "$x$ and $",
    " to",
    "",
    "é\u0301",
    "\ud800",
    "\x00",
    "﷽",
    "a" * 99,
]
"""Tokens that ask for trouble."""


def pixels(figure):
    """The figure as a PNG would show it. Shapes: (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(encoded(figure, "png"))).convert("RGB"))


def colours_at(figure, axes, points):
    """The pixels at places in the coordinates of axes, as tuples."""
    picture = pixels(figure)
    places = axes.transData.transform(np.asarray(points, dtype=float))
    return [tuple(picture[picture.shape[0] - 1 - int(y), int(x)].tolist()) for x, y in places]


def texts(figure):
    """The visible texts with their boxes in pixels."""
    with styled():
        figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    hidden = {text for axes in figure.axes for text in out_of_view(axes)}
    found = set(figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_visible())) - hidden
    return {text: text.get_window_extent(renderer) for text in found if text.get_text().strip()}


def out_of_view(axes):
    """Labels that matplotlib keeps for places beyond the ends of an axis, and does not draw."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        room = (high - low) * 1e-6
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low - room <= tick.get_loc() <= high + room or not axes.axison:
                yield from (tick.label1, tick.label2)


def sentences(figure):
    """The texts, those on several lines in one piece."""
    return {text.get_text().replace("\n", " ") for text in texts(figure)}


def tick_labels(axes):
    """The labels along both axes."""
    return [text for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels() if text.get_text()]


def assert_tidy(figure):
    """Whatever is written lies on the page, and no label of an axis touches another."""
    boxes = texts(figure)
    width, height = figure.canvas.get_width_height()
    for text, box in boxes.items():
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        assert inside, f"{text.get_text()!r} at {box} leaves {width} × {height}"
    for axes in figure.axes:
        labels = [text for text in tick_labels(axes) if text in boxes]
        names = [text for text in (axes.xaxis.label, axes.yaxis.label, axes.title) if text in boxes]
        for one, other in combinations([*labels, *names], 2):
            assert not overlap(boxes[one], boxes[other]), f"{one.get_text()!r} touches {other.get_text()!r}"


def overlap(one, other):
    """Whether two boxes share more than an edge."""
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1
