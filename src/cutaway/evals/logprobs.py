"""From logits to the log-probabilities of a few tokens, without a second matrix as large as the logits."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import GenerationError

ROWS_AT_ONCE = 8
"""Rows that fit a processor's cache together: eight of GPT-2's vocabulary are 1.6 MB."""


class LogSoftmax:
    """The log-softmax of rows of logits, which it overwrites, on several threads."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)

    def __call__(
        self, logits: NDArray[np.float32], rows: NDArray[np.intp], targets: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """For each pair of a row and a token: its log-probability, and whether it is the row's likeliest.

        Shapes: logits (N, V), rows (M,), targets (M,) -> (M,), (M,)

        Raises: GenerationError for logits that are not finite numbers.
        """
        picked = logits[rows, targets].astype(np.float64)  # before they are overwritten
        blocks = self._pool.map(normalizers, _blocks(logits))
        best, highest, logsum = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        if not np.isfinite(highest).all():
            raise GenerationError("the model's logits are not finite numbers; its weights are unfit")
        return picked - highest[rows] - logsum[rows], best[rows] == targets


def _blocks(logits: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (logits[start : start + ROWS_AT_ONCE] for start in range(0, len(logits), ROWS_AT_ONCE))


def normalizers(logits: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """The likeliest token of each row, its logit, and the logarithm of the sum of all e^(logit - highest).

    The logits are overwritten.

    Shapes: (N, V) -> (N,), (N,), (N,)
    """
    best = logits.argmax(axis=1)
    highest = logits[np.arange(len(logits)), best]
    logits -= highest[:, None]
    np.exp(logits, out=logits)
    return best, highest.astype(np.float64), np.log(logits.sum(axis=1).astype(np.float64))
