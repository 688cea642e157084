"""What the native kernels do with a row of logits: draw a token where rounding does not decide which, and weigh one."""

import os
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cutaway.native.library import LIBRARY_VARIABLE, Cut, available, load_library
from cutaway.sampling import SamplingParams

FEW = 2048
"""So few tokens are drawn from as quickly in numpy."""


def choose(logits: NDArray[np.float32], params: SamplingParams, uniform: float, isa: str = "") -> int | None:
    """The token that `draw(truncate(logits, params), uniform)` gives; None where only that can tell, or refuses.

    Which instruction set is taken makes no difference.

    Shapes: (V,)
    """
    if params.typical_p < 1 or not _suits(logits):
        return None
    data, cut = logits.ctypes.data, _cut(params)
    token: int = load_library().cutaway_choose(isa.encode(), data, len(logits), cut, uniform)
    return token if token >= 0 else None


def logprob(logits: NDArray[np.float32], token: int, isa: str = "") -> float | None:
    """The natural logarithm of a token's probability, its sums in float64; None where numpy is as quick.

    Shapes: logits (V,)
    """
    if not _suits(logits):
        return None
    found: float = load_library().cutaway_logprob(isa.encode(), logits.ctypes.data, len(logits), token)
    return found


def _suits(logits: NDArray[np.float32]) -> bool:
    # The name is no path yet: it is asked for with each token, and making one takes longer than drawing.
    return len(logits) > FEW and logits.flags.c_contiguous and _is_there(os.environ.get(LIBRARY_VARIABLE))


@lru_cache
def _is_there(named: str | None) -> bool:
    """Whether there is a library that can be used; the environment may name another."""
    return bool(available())


@lru_cache
def _cut(params: SamplingParams) -> Cut:
    return Cut(params.temperature, params.top_k, params.top_p, params.min_p)
