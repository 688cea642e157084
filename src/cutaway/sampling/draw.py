"""One token from a row of logits, and the random numbers for it."""

import math
import secrets
from collections.abc import Iterator

import numpy as np

from cutaway.errors import GenerationError
from cutaway.sampling.namespace import array_namespace
from cutaway.sampling.processors import Array, log_softmax
from cutaway.sampling.selection import kth_largest


def draw(logits: Array, uniform: float) -> int:
    """The token that a number from (0, 1] picks when the probabilities are laid end to end.

    A token of probability 0 is never picked.

    Shapes: (V,)

    Raises: GenerationError when no token is possible or a logit is not a number.
    """
    xp = array_namespace(logits)
    check_possible(logits)
    (possible,) = xp.nonzero(logits > -np.inf)  # of a truncated vocabulary few, so that the rest is quick
    weights = xp.exp(logits[possible] - xp.max(logits))
    cumulative = xp.cumulative_sum(xp.astype(weights, xp.float64))
    return int(possible[xp.count_nonzero(cumulative < uniform * cumulative[-1])])


def most_likely(logits: Array) -> int:
    """The token with the largest logit; of equals, the one with the lowest id.

    Shapes: (V,)

    Raises: GenerationError when no token is possible or a logit is not a number.
    """
    return check_possible(logits)


def check_possible(logits: Array) -> int:
    """Refuse logits from which nothing can be chosen; else the first of the largest comes back.

    Shapes: (V,)

    Raises: GenerationError when all are -inf or one is not a number.
    """
    first = int(array_namespace(logits).argmax(logits))  # to which NaN is larger than any number
    highest = float(logits[first])
    if math.isnan(highest) or highest == math.inf:
        raise GenerationError("the model's logits are not finite numbers; its weights or the number format are unfit")
    if highest == -math.inf:
        raise GenerationError("every token is forbidden; allow some by relaxing the bans or the n-gram size")
    return first


def most_likely_logprobs(logits: Array, count: int) -> dict[int, float]:
    """The `count` most likely tokens and their log-probabilities, the likeliest first.

    Shapes: (V,)
    """
    xp = array_namespace(logits)
    logprobs = log_softmax(logits)
    least = kth_largest(logprobs, min(count, logprobs.shape[0]))
    (likely,) = xp.nonzero(logprobs >= least)
    order = likely[xp.argsort(logprobs[likely], descending=True, stable=True)][:count]
    return {int(token): float(logprobs[token]) for token in order}


def fresh_seed() -> int:
    """A seed from the operating system, for runs that were not given one; report it, so they can be repeated."""
    return secrets.randbits(32)


def uniforms(seed: int, sample: int) -> Iterator[float]:
    """Endless random numbers in (0, 1] that depend on the seed and the sample's index alone.

    A counter-based generator gives every sample a stream of its own, so what else is in the batch cannot matter.

    Source: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3" (Philox).
    """
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, sample], dtype=np.uint64)))
    while True:
        yield 1.0 - generator.random()
