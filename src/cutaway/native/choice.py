"""A token drawn by the native kernels, wherever rounding does not decide which."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutaway.native.library import Cut, available, library_path, load_library
from cutaway.sampling import SamplingParams

FEW = 2048
"""So few tokens are drawn from as quickly in numpy."""


def choose(logits: NDArray[np.float32], params: SamplingParams, uniform: float, isa: str = "") -> int | None:
    """The token that `draw(truncate(logits, params), uniform)` gives; None where only that can tell.

    The logits must be numbers or -inf, and not all -inf. Which instruction set is taken makes no difference.

    Shapes: (V,)
    """
    if len(logits) <= FEW or params.typical_p < 1 or not logits.flags.c_contiguous or not _is_at(library_path()):
        return None
    data, cut = logits.ctypes.data, _cut(params)
    token: int = load_library().cutaway_choose(isa.encode(), data, len(logits), cut, uniform)
    return token if token >= 0 else None


@lru_cache
def _is_at(path: Path) -> bool:
    """Whether the library can be used, which is at this place."""
    return bool(available())


@lru_cache
def _cut(params: SamplingParams) -> Cut:
    return Cut(params.temperature, params.top_k, params.top_p, params.min_p)
