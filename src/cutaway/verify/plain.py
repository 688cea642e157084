"""GPT-2 once more, in numpy and float64, straight from the tensors in the file: the witness that shares no code.

Neither PyTorch's layers nor the way the package loads weights is used, so agreement with the network says that both
are right. A `Variant` computes something else on purpose, one of the usual mistakes: when numbers do not come out as
they should, the variant that brings them out says what went wrong.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from cutaway.config import GPTConfig

Array: TypeAlias = NDArray[np.floating[Any]]
Lookup: TypeAlias = Callable[[str], Array]
"""A tensor by our name, matrices (in, out)."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A network that differs from GPT-2, or from what the file says, in one thing; the default differs in none."""

    what: str = ""
    """In a few words, to follow "if"."""
    exact_gelu: bool = False
    epsilon: float | None = None
    shift: int = 0
    """Added to each position."""
    parts: str = "qkv"
    """What the three thirds of c_attn are."""
    layers: Mapping[int, int] = field(default_factory=dict)
    """The layer whose weights each of these layers takes."""
    transposed: str | None = None
    """The name of a square matrix to turn over."""


GPT2 = Variant()


def states(
    config: GPTConfig, weights: Lookup, ids: Sequence[int], variant: Variant = GPT2, dtype: DTypeLike = np.float64
) -> Iterator[tuple[str, Array]]:
    """The residual stream along the network, by the names of observation points; the last is `ln_f`.

    Shapes: T tokens -> (T, C) each
    """
    eps = config.layer_norm_epsilon if variant.epsilon is None else variant.epsilon
    tokens: Array = take(weights, "wte.weight", variant)[list(ids)].astype(dtype)
    places = np.clip(np.arange(len(ids)) + variant.shift, 0, config.block_size - 1)
    x: Array = tokens + take(weights, "wpe.weight", variant)[places]
    yield "embed+pos_embed", x
    for layer in range(config.n_layer):
        own = partial(_in_layer, weights, variant.layers.get(layer, layer), variant)
        x = block(own, x, config.n_head, eps, variant)
        yield f"h.{layer}.resid_post", x
    yield "ln_f", layer_norm(x, take(weights, "ln_f.weight", variant), take(weights, "ln_f.bias", variant), eps)


def final_states(config: GPTConfig, weights: Lookup, ids: Sequence[int], variant: Variant = GPT2) -> Array:
    """The final hidden states alone. Shapes: -> (T, C)."""
    *_, (_, last) = states(config, weights, ids, variant)
    return last


def take(weights: Lookup, name: str, variant: Variant) -> Array:
    """A tensor, turned over where the variant says so."""
    array = weights(name)
    return array.T if name == variant.transposed else array


def _in_layer(weights: Lookup, layer: int, variant: Variant, name: str) -> Array:
    return take(weights, f"h.{layer}.{name}", variant)


def block(w: Lookup, x: Array, n_head: int, eps: float, variant: Variant) -> Array:
    """One layer. Shapes: (T, C) -> (T, C)."""
    both = layer_norm(x, w("ln_1.weight"), w("ln_1.bias"), eps) @ w("attn.c_attn.weight") + w("attn.c_attn.bias")
    thirds = dict(zip(variant.parts, np.split(both, 3, axis=1), strict=True))
    gathered = attend(thirds["q"], thirds["k"], thirds["v"], n_head)
    x = x + gathered @ w("attn.c_proj.weight") + w("attn.c_proj.bias")
    wide = layer_norm(x, w("ln_2.weight"), w("ln_2.bias"), eps) @ w("mlp.c_fc.weight") + w("mlp.c_fc.bias")
    bent = exact_gelu(wide) if variant.exact_gelu else tanh_gelu(wide)
    return x + bent @ w("mlp.c_proj.weight") + w("mlp.c_proj.bias")


def attend(q: Array, k: Array, v: Array, n_head: int) -> Array:
    """What each head gathers, side by side. Shapes: (T, C) -> (T, C)."""
    T, C = q.shape
    D = C // n_head
    gathered = np.empty_like(v)
    for head in range(n_head):
        own = slice(head * D, (head + 1) * D)
        scores = q[:, own] @ k[:, own].T / math.sqrt(D)
        scores[np.triu_indices(T, 1)] = -np.inf
        gathered[:, own] = softmax(scores) @ v[:, own]
    return gathered


def softmax(x: Array) -> Array:
    """Rows as shares of 1."""
    grown: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Array = grown / grown.sum(axis=-1, keepdims=True)
    return shares


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Each row at mean 0 and spread 1, times weight, plus bias."""
    centred = x - x.mean(axis=-1, keepdims=True)
    normed: Array = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps) * weight + bias
    return normed


def tanh_gelu(x: Array) -> Array:
    """The form that GPT-2 was trained with."""
    bent: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return bent


def exact_gelu(x: Array) -> Array:
    """The form that most other networks have."""
    bent: Array = 0.5 * x * (1 + torch.erf(torch.from_numpy(x / math.sqrt(2))).numpy())  # numpy has no erf
    return bent
