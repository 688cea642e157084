"""The k-th largest of many numbers, without sorting them."""

from typing import Any

import numpy as np

from cutaway.sampling.namespace import array_namespace

ROWS = 64
"""Numbers are compared in columns of so many: few enough that there are more columns than anybody asks for."""


def kth_largest(numbers: Any, k: int) -> Any:
    """The k-th largest number, for k from 1 to V.

    Shapes: (V,) -> ()
    """
    if type(numbers) is not np.ndarray:
        xp = array_namespace(numbers)
        return xp.sort(numbers, descending=True, stable=False)[k - 1]
    columns = len(numbers) // ROWS
    if columns > k:
        # k columns have a number of at least this size, so the k largest are among those of at least this size.
        highest = numbers[: columns * ROWS].reshape(ROWS, columns).max(axis=0)
        if not np.isnan(highest).any():
            numbers = numbers[numbers >= _smallest_of_largest(highest, k)]
    return _smallest_of_largest(numbers, k)


def _smallest_of_largest(numbers: Any, k: int) -> Any:
    place = len(numbers) - k
    return np.partition(numbers, place)[place]
