"""Every head's attention: all heads at a glance, and each at full size on a click."""

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cutaway.errors import ConfigError
from cutaway.pages.quantization import SHORT, max_error, pack, quantize
from cutaway.pages.view import Block, View, deflate, floats, json_block

Pattern = tuple[int, int, ArrayLike]
"""Layer, head, and how much each query looks at each key, (T, T)."""

MAX_TOKENS = 4096
THUMBNAIL = 96
"""Pixels along an edge of a thumbnail; a longer pattern is pooled to its maxima."""
ROUNDING = 1e-3
"""How far softmax in half precision may miss 0 or 1."""
BRIGHTEST = 0.995
"""The share of weights below the brightest colour, so that one bright cell does not darken all others."""


def attention_view(
    tokens: Sequence[str],
    patterns: Iterable[Pattern],
    *,
    title: str = "Attention",
    bits: int | None = None,
    overview: bool = False,
) -> View:
    """Attention of any heads: a grid of thumbnails, and one head with its text, linked under the pointer.

    Patterns may come from a generator: each is packed and forgotten before the next is asked for. A weight is kept to
    `bits` bits of its square root: 16 up to 256 tokens, otherwise 8 unless given, with an error of at most 0.0039.
    An overview leaves the patterns out, all but the thumbnails, for a page that asks for each when it is looked at.

    Shapes: each pattern (T, T), causal: zero above the diagonal

    Raises: ConfigError for bits other than 4 to 16, and, while the page is written, for a pattern that is not
        attention over these tokens.
    """
    if not 1 <= len(tokens) <= MAX_TOKENS:
        raise ConfigError(f"an attention page shows 1 to {MAX_TOKENS:,} tokens, not {len(tokens):,}; show a part")
    bits = bits if bits is not None else 16 if len(tokens) <= SHORT else 8
    if not 4 <= bits <= 16:
        raise ConfigError(f"bits = {bits} is outside 4 to 16")
    facts = {"tokens": [str(token) for token in tokens], "bits": bits, "error": max_error(bits)}
    return View(
        kind="attention", title=title, facts=facts, blocks=blocks(patterns, len(tokens), None if overview else bits)
    )


@dataclass(frozen=True, kw_only=True)
class Small:
    """A head small, and what it does on average."""

    facts: dict[str, Any]
    thumbnail: bytes


def blocks(patterns: Iterable[Pattern], T: int, bits: int | None) -> Iterator[Block]:
    """Each head's lower triangle, row after row, as it comes, unless it is to have no bits; then all thumbnails."""
    heads: dict[tuple[int, int], Small] = {}
    below = np.tri(T, dtype=bool)
    for layer, head, given in patterns:
        place = operator.index(layer), operator.index(head)
        if place in heads or min(place) < 0:
            raise ConfigError(f"layer {layer}, head {head} came twice or is negative; give each head once")
        weights = checked(given, T, ~below, f"the pattern of layer {layer}, head {head}")
        heads[place] = small(weights, *place)
        if bits is not None:
            yield Block(name=f"pattern-{place[0]}-{place[1]}", data=pack(quantize(weights[below], bits)))
    if not heads:
        raise ConfigError("there are no patterns to show; give at least one (layer, head, pattern)")
    ordered = [heads[place] for place in sorted(heads)]
    yield json_block("heads", [each.facts for each in ordered])
    yield Block(name="thumbnails", data=deflate(b"".join(each.thumbnail for each in ordered)))


def checked(given: ArrayLike, T: int, above: NDArray[np.bool_], what: str) -> NDArray[np.float32]:
    """The pattern as weights between 0 and 1.

    Raises: ConfigError when it is not causal attention over T tokens.
    """
    weights = floats(given, what, ndim=2)
    if weights.shape != (T, T):
        raise ConfigError(f"{what} has the shape {weights.shape}; for these tokens it must be ({T}, {T})")
    if not (weights.min() >= -ROUNDING and weights.max() <= 1 + ROUNDING):
        raise ConfigError(f"{what} reaches from {weights.min():g} to {weights.max():g}; weights lie between 0 and 1")
    if weights.max(where=above, initial=0) > ROUNDING:
        raise ConfigError(f"{what} looks ahead; only causal attention, zero above the diagonal, can be shown")
    return weights.clip(0, 1)


def small(weights: NDArray[np.float32], layer: int, head: int) -> Small:
    """The thumbnail, scaled to its own brightest colour, and the averages that tell kinds of heads apart."""
    pixels = pooled(weights)
    brightest = float(np.quantile(pixels[np.tri(len(pixels), dtype=bool)], BRIGHTEST))
    levels = np.rint(255 * np.sqrt(np.minimum(pixels / max(brightest, 1e-12), 1))).astype(np.uint8)
    logs = np.log2(np.maximum(weights, np.finfo(np.float32).tiny))  # times 0 it is 0 all the same
    means = {
        "to_first": weights[:, 0].mean(),
        "to_previous": np.diagonal(weights, -1).mean() if len(weights) > 1 else 0,
        "to_itself": np.diagonal(weights).mean(),
        "entropy_bits": -(weights * logs).sum(axis=1).mean(),
    }
    facts = {"layer": layer, "head": head, "brightest": brightest} | {
        name: round(float(mean), 4) + 0.0 for name, mean in means.items()
    }
    return Small(facts=facts, thumbnail=levels.tobytes())


def pooled(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most THUMBNAIL rows and columns, each the maximum of its neighbourhood, so that thin lines stay visible.

    Shapes: (T, T), causal -> (P, P)
    """
    size = min(len(weights), THUMBNAIL)
    edges = np.arange(size + 1) * len(weights) // size
    rows = np.zeros((size, len(weights)), np.float32)
    # Row by row of the thumbnail and up to the diagonal: a quarter of the time that reducing the whole along its first
    # axis takes.
    for row, (first, last) in zip(rows, pairwise(edges), strict=True):
        weights[first:last, :last].max(axis=0, out=row[:last])
    return np.maximum.reduceat(rows, edges[:-1], axis=1)
