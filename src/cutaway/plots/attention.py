"""Attention patterns: one head, one head in several layers, all heads of a model."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots import mosaic, panels
from cutaway.plots.colours import Array, Scale
from cutaway.plots.heat_map import draw_cells
from cutaway.plots.matrix import causal, matrix
from cutaway.plots.ticks import Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALE = Scale(low=0.0, high=1.0, power=0.5)
"""Colours follow the square root of the weight: among hundreds of positions most weights are small."""

UNIT = "attention weight"


def draw_attention(pattern: ArrayLike, *, tokens: Labels, title: str = "") -> "Figure":
    """Where each token of a text looks: a table for a sentence, a map for up to a whole context.

    Shapes: pattern (T, T), a row for each query

    Raises: ConfigError for a pattern that does not fit the tokens.
    """
    axes = [("query", tokens), ("key", tokens)]
    return draw_cells(causal(matrix(pattern, axes)), axes, SCALE, title, UNIT)


def draw_attention_layers(patterns: ArrayLike, *, names: Sequence[str], tokens: Labels, title: str = "") -> "Figure":
    """One head in several layers, or several heads, side by side.

    Shapes: patterns (P, T, T), one for each name

    Raises: ConfigError for patterns that do not fit names and tokens.
    """
    axes = [("", names), ("query", tokens), ("key", tokens)]
    return panels.draw_matrices(causal(matrix(patterns, axes, 3)), axes, SCALE, title, UNIT)


def draw_model_view(layers: Iterable[ArrayLike], *, title: str = "") -> "Figure":
    """All heads at once: a row for each layer, a thumbnail for each head.

    The layers may come one by one, so that those of a large model need not be held together. A thumbnail's pixel
    is the largest of the weights that share it.

    Shapes: each layer (H, T, T)

    Raises: ConfigError for layers of different shapes, or none.
    """
    # Two blocks of the same positions: what lies above the diagonal of the blocks is all future.
    thumbnails = [causal(mosaic.thumbnails(pattern_of(layer))) for layer in layers]
    if len({row.shape for row in thumbnails}) != 1:
        raise ConfigError(f"layers of shapes {[row.shape for row in thumbnails]} make no model view; give equal ones")
    return mosaic.draw_mosaic(np.stack(thumbnails), ("layer", "head"), SCALE, title, UNIT)


def pattern_of(layer: ArrayLike) -> Array:
    """The patterns of one layer's heads.

    Raises: ConfigError when it is something else.
    """
    array = np.asarray(layer)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not array.size:
        raise ConfigError(f"a layer of shape {array.shape} holds no attention patterns; they have shape (H, T, T)")
    return array
