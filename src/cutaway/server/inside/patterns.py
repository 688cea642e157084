"""Attention head by head: the queries and keys of the text that was read last stay, so none has to be read again."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cutaway.generate import TokenScore
from cutaway.inspect import Trace, trace
from cutaway.inspect.observers import ObservedGPT, Watcher
from cutaway.inspect.passage import read
from cutaway.inspect.points import at_layer
from cutaway.inspect.trace import Recording
from cutaway.language_model import LanguageModel
from cutaway.model import attention_pattern
from cutaway.server.inside.kept import Kept

ROWS = 64
"""Queries at a time: what they look at stays in the processor's cache, and what lies ahead of them is left out. With
more, PyTorch would share each of thousands of little steps between threads, which takes longer than the steps."""
KEPT_BYTES = 1 << 30
"""More is not kept; the queries and keys of gpt2-xl's whole context take 0.63 GB."""

READ: Kept[Trace] = Kept()


def read_through(gpt: LanguageModel, ids: Sequence[int]) -> Trace:
    """A trace that has every head's pattern, of this text.

    Raises: what `trace` raises.
    """
    seen = READ.get(gpt, tuple(ids), lambda: trace(gpt, ids, "pattern"))
    if seen.memory_bytes > KEPT_BYTES:
        READ.forget(gpt)
    return seen


def score_through(gpt: LanguageModel, ids: Sequence[int], top: int) -> list[TokenScore]:
    """What `gpt.score` gives, read in such a way that whoever asks for attention next need not wait for a reading.

    Raises: what `gpt.score` raises.
    """
    passage = read(gpt, ids)
    names = [at_layer(point, layer) for layer in range(gpt.config.n_layer) for point in ("q", "k", "pattern")]
    recording = Recording(names)
    watched = ObservedGPT(passage.model, lambda _ids, _positions: Watcher(names, recording))
    READ.forget(gpt)
    scores = LanguageModel(watched, gpt.tokenizer, gpt.name).score(ids, top)
    seen = recording.trace(passage)
    if seen.memory_bytes <= KEPT_BYTES:
        READ.put(gpt, tuple(ids), seen)
    return scores


def pattern_of(seen: Trace, layer: int, head: int) -> Tensor:
    """How much each token looks at each, in one head: what `Trace` computes for all heads of a layer at once.

    Shapes: -> (T, T)
    """
    if (name := at_layer("pattern", layer)) in seen.activations:  # formed by the network, for it was changed there
        return seen.activations[name][head]
    q, k = (seen.activations[at_layer(point, layer)][head] for point in "qk")
    wide = q.dtype if q.dtype == torch.float64 else torch.float32
    q, k = q.to(wide), k.to(wide)
    found = q.new_zeros(len(q), len(q))
    for first in range(0, len(q), ROWS):
        rows, keys = slice(first, first + ROWS), slice(first + ROWS)
        found[rows, keys] = attention_pattern(q[rows], k[keys])
    return found
