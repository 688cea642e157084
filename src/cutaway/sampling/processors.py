"""From the model's raw logits to those one draws from: penalties, bans, temperature, truncation.

Every function is pure, takes logits of shape (…, V) as a numpy array or a torch tensor, and returns the same kind.
A token that may not be chosen has the logit -inf. Each one equals the processor of the same purpose in
`transformers` on the same logits.

Source: the array API standard (data-apis.org), through which one implementation serves both libraries.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cutaway.errors import GenerationError
from cutaway.sampling.namespace import array_namespace, device
from cutaway.sampling.nucleus import nucleus_end
from cutaway.sampling.params import SamplingParams
from cutaway.sampling.selection import kth_largest

Array = Any  # a numpy array or a torch tensor; the array API has no type of its own yet


def penalize(logits: Array, params: SamplingParams, prompt: Sequence[int], generated: Sequence[int]) -> Array:
    """Everything that depends on what has been said or is forbidden, for one sequence.

    Shapes: (V,) -> (V,)

    Raises: GenerationError when a parameter names a token outside the vocabulary.
    """
    if params.logit_bias:
        logits = logit_bias(logits, params.logit_bias)
    if params.repetition_penalty != 1:
        logits = repetition_penalty(logits, params.repetition_penalty, [*prompt, *generated])
    if params.presence_penalty or params.frequency_penalty:
        logits = count_penalty(logits, params.presence_penalty, params.frequency_penalty, generated)
    if params.no_repeat_ngram_size:
        logits = ban(logits, ngram_completions([*prompt, *generated], params.no_repeat_ngram_size))
    if params.banned_tokens:
        logits = ban(logits, params.banned_tokens)
    return logits


def truncate(logits: Array, params: SamplingParams) -> Array:
    """Reshape the distribution by temperature and cut its tail.

    Shapes: (…, V) -> (…, V)
    """
    if params.temperature != 1:
        logits = temperature(logits, params.temperature)
    if params.top_k:
        logits = top_k(logits, params.top_k)
    if params.top_p < 1:
        logits = top_p(logits, params.top_p)
    if params.min_p:
        logits = min_p(logits, params.min_p)
    if params.typical_p < 1:
        logits = typical_p(logits, params.typical_p)
    return logits


def temperature(logits: Array, value: float) -> Array:
    """Divide the logits: below 1 sharpens, above 1 flattens."""
    return logits / value


def top_k(logits: Array, k: int) -> Array:
    """Keep the k largest logits, and any that equal the k-th."""
    if logits.ndim > 1:
        return row_by_row(logits, lambda row: top_k(row, k))
    return drop(logits, logits < kth_largest(logits, min(k, logits.shape[-1])))


def top_p(logits: Array, mass: float) -> Array:
    """Keep the smallest set of most likely tokens whose probabilities sum to `mass`: the nucleus.

    Tokens exactly as likely as the least likely one kept stay too, so the result does not depend on their order.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".
    """
    if logits.ndim > 1:
        return row_by_row(logits, lambda row: top_p(row, mass))
    return drop(logits, logits < nucleus_end(logits, mass))


def min_p(logits: Array, fraction: float) -> Array:
    """Drop the tokens less likely than `fraction` of the most likely one."""
    xp = array_namespace(logits)
    return drop(logits, xp.exp(logits - xp.max(logits, axis=-1, keepdims=True)) < fraction)


def typical_p(logits: Array, mass: float) -> Array:
    """Keep the tokens whose surprise is closest to the expected surprise, up to a probability of `mass`.

    Source: Meister et al. 2022, "Locally Typical Sampling".
    """
    xp = array_namespace(logits)
    logprobs = log_softmax(logits)
    probs = xp.exp(logprobs)
    # An impossible token adds nothing to the entropy, though 0 · log 0 is not a number.
    entropy = -xp.sum(probs * xp.where(probs > 0, logprobs, xp.zeros_like(probs)), axis=-1, keepdims=True)
    distance = xp.abs(-logprobs - entropy)
    nearest = xp.argsort(distance, axis=-1, stable=False)
    reached = xp.cumulative_sum(xp.take_along_axis(probs, nearest, axis=-1), axis=-1)
    last = xp.clip(xp.count_nonzero(reached < mass, axis=-1, keepdims=True), 0, logits.shape[-1] - 1)
    farthest = xp.take_along_axis(xp.take_along_axis(distance, nearest, axis=-1), last, axis=-1)
    return drop(logits, distance > farthest)


def repetition_penalty(logits: Array, penalty: float, history: Iterable[int]) -> Array:
    """Make tokens that have occurred less likely, whatever the sign of their logit.

    Source: Keskar et al. 2019, "CTRL", section 4.1.
    """
    xp = array_namespace(logits)
    return change(logits, history, lambda seen: xp.where(seen < 0, seen * penalty, seen / penalty))


def count_penalty(logits: Array, presence: float, frequency: float, generated: Sequence[int]) -> Array:
    """Lower generated tokens by `presence` once and by `frequency` for each time they occurred.

    Source: OpenAI API reference, "Frequency and presence penalties".
    """
    counts = Counter(generated)
    return add(logits, {token: -(presence + frequency * count) for token, count in counts.items()})


def logit_bias(logits: Array, bias: Mapping[int, float]) -> Array:
    """Add a number to the logits of some tokens."""
    return add(logits, bias)


def ban(logits: Array, tokens: Iterable[int]) -> Array:
    """Make some tokens impossible."""
    xp = array_namespace(logits)
    return change(logits, tokens, lambda banned: xp.full_like(banned, -np.inf))


def ngram_completions(history: Sequence[int], size: int) -> set[int]:
    """The tokens that would complete an n-gram of this size that `history` already holds."""
    if len(history) + 1 < size:
        return set()
    prefix = tuple(history[len(history) - size + 1 :])
    starts = range(len(history) - size + 1)
    return {history[start + size - 1] for start in starts if tuple(history[start : start + size - 1]) == prefix}


def row_by_row(logits: Array, function: Callable[[Array], Array]) -> Array:
    """Change each row by itself, for each keeps tokens of its own."""
    xp = array_namespace(logits)
    rows = [function(row) for row in xp.reshape(logits, (-1, logits.shape[-1]))]
    return xp.reshape(xp.stack(rows), logits.shape) if rows else logits


def softmax(logits: Array) -> Array:
    """Probabilities over the last axis."""
    xp = array_namespace(logits)
    weights = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def log_softmax(logits: Array) -> Array:
    """Natural logarithms of the probabilities over the last axis."""
    xp = array_namespace(logits)
    shifted = logits - xp.max(logits, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def drop(logits: Array, mask: Array) -> Array:
    """Set the logits where `mask` is true to -inf."""
    xp = array_namespace(logits)
    return xp.where(mask, xp.asarray(-np.inf, dtype=logits.dtype, device=device(logits)), logits)


def add(logits: Array, values: Mapping[int, float]) -> Array:
    """Add each of these numbers to the logit of its token."""
    xp = array_namespace(logits)
    numbers = xp.asarray(list(values.values()), dtype=logits.dtype, device=device(logits))
    return change(logits, values, lambda chosen: chosen + numbers)


def change(logits: Array, tokens: Iterable[int], function: Callable[[Array], Array]) -> Array:
    """A copy in which the logits of some tokens are changed, each once; the rest of a vocabulary is not computed with.

    Raises: GenerationError for an id outside the vocabulary.
    """
    xp, ids, n_vocab = array_namespace(logits), list(dict.fromkeys(tokens)), logits.shape[-1]
    for token in ids:
        if not 0 <= token < n_vocab:
            raise GenerationError(
                f"token id {token:,} is not in a vocabulary of {n_vocab:,}; ids run from 0 to {n_vocab - 1:,}"
            )
    copy = xp.asarray(logits, copy=True)
    if ids:
        places = xp.asarray(ids, device=device(logits))
        copy[..., places] = function(copy[..., places])
    return copy
