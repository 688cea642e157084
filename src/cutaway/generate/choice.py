"""One token from a row of logits, drawn by whoever is quickest; all draw the same."""

import numpy as np

from cutaway.native.choice import choose as choose_native
from cutaway.sampling import SamplingParams, check_possible, draw, truncate
from cutaway.sampling.processors import Array


def choose(logits: Array, params: SamplingParams, uniform: float) -> int:
    """The token that a number from (0, 1] draws from logits, cut as the parameters say.

    Shapes: (V,)

    Raises: GenerationError when no token is possible or a logit is not a number.
    """
    check_possible(logits)
    if type(logits) is np.ndarray and logits.dtype == np.float32:
        token = choose_native(logits, params, uniform)
        if token is not None:
            return token
    return draw(truncate(logits, params), uniform)
