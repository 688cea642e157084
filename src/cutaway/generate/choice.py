"""One token from a row of logits, drawn and weighed by whoever is quickest; all draw the same."""

import numpy as np

from cutaway.native.choice import choose as choose_native
from cutaway.native.choice import logprob as logprob_native
from cutaway.sampling import SamplingParams, check_possible, draw, log_softmax, most_likely_logprobs, truncate
from cutaway.sampling.processors import Array


def choose(logits: Array, params: SamplingParams, uniform: float) -> int:
    """The token that a number from (0, 1] draws from logits, cut as the parameters say.

    Shapes: (V,)

    Raises: GenerationError when no token is possible or a logit is not a number.
    """
    if type(logits) is np.ndarray and logits.dtype == np.float32:
        token = choose_native(logits, params, uniform)
        if token is not None:
            return token
    check_possible(logits)
    return draw(truncate(logits, params), uniform)


def weighed(logits: Array, token: int, count: int) -> tuple[float, dict[int, float]]:
    """The natural logarithm of a token's probability, and those of the `count` likeliest, where it has the same.

    Shapes: logits (V,)
    """
    if count:
        return float(log_softmax(logits)[token]), most_likely_logprobs(logits, count)
    if type(logits) is np.ndarray and logits.dtype == np.float32:
        found = logprob_native(logits, token)
        if found is not None:
            return found, {}
    return float(log_softmax(logits)[token]), {}
