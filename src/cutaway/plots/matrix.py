"""What is drawn: numbers with named and labelled axes, checked once; and matrices made small enough for pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots.colours import Array
from cutaway.plots.ticks import Labels

Axes = Sequence[tuple[str, Labels]]
"""Of each axis its name and what stands at its places."""


def checked(values: ArrayLike, axes: Axes) -> Array:
    """The values as floating-point numbers, infinite ones as missing, if they fit the axes.

    Raises: ConfigError when they do not, or there is nothing to draw.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"values of type {array.dtype} cannot be drawn; give real numbers")
    if array.shape != (sizes := tuple(len(labels) for _, labels in axes)):
        raise ConfigError(f"values of shape {array.shape} do not fit axes of {sizes} labels; give each place its label")
    if not array.size:
        raise ConfigError(f"there is nothing to draw in values of shape {array.shape}; choose some")
    array = array.astype(np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def matrix(values: ArrayLike, axes: Axes, dimensions: int = 2) -> Array:
    """The same for so many axes exactly.

    Raises: ConfigError for another number of axes.
    """
    array = checked(values, axes)
    if array.ndim != dimensions:
        raise ConfigError(f"this picture is of {dimensions} axes, not {array.ndim}; choose one place of the others")
    return array


def causal(pattern: Array) -> Array:
    """An attention pattern without its future, which is always zero and says nothing.

    Shapes: (…, T, T) -> (…, T, T)
    """
    return np.where(np.tri(*pattern.shape[-2:]) > 0, pattern, np.nan)


def mean_of_blocks(values: Array, rows: int, columns: int) -> Array:
    """The means of neighbouring numbers, missing ones left out, in at most so many rows and columns."""
    known = ~np.isnan(values)
    total = _reduced(np.add, np.where(known, values, 0.0), rows, columns)
    n = _reduced(np.add, known.astype(np.float64), rows, columns)
    return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


def largest_of_blocks(values: Array, rows: int, columns: int) -> Array:
    """The largest of neighbouring numbers, missing ones left out: a single bright cell stays visible."""
    return _reduced(np.fmax, values, rows, columns)


def _reduced(how: np.ufunc, values: Array, rows: int, columns: int) -> Array:
    """Shapes: (…, R, C) -> (…, min(R, rows), min(C, columns))."""
    for axis, places in ((-2, rows), (-1, columns)):
        n = values.shape[axis]
        if n > places:
            values = _in_blocks(how, values.swapaxes(axis, -2), places).swapaxes(axis, -2)
    return values


def _in_blocks(how: np.ufunc, values: Array, places: int) -> Array:
    """Shapes: (…, R, C) -> (…, places, C)."""
    *more, n, columns = values.shape
    if n % places:
        return np.asarray(how.reduceat(values, np.arange(places) * n // places, axis=-2))
    # Equal blocks are another shape of the same array, which is many times faster.
    return np.asarray(how.reduce(values.reshape(*more, places, n // places, columns), axis=-2))


def enlarged(values: Array, rows: int, columns: int) -> Array:
    """Each number repeated over its share of so many rows and columns. Shapes: (…, R, C) -> (…, rows, columns)."""
    down = np.arange(rows) * values.shape[-2] // rows
    across = np.arange(columns) * values.shape[-1] // columns
    return values[..., down[:, None], across]
