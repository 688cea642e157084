"""The array API standard over numpy and torch; the one door to `array_api_compat`.

That library takes a tenth of a second to import, for it fetches every corner of numpy. Plain numpy arrays, which are
all that generating needs, do without: numpy departs from the standard only in the five functions below.

Source: data-apis.org/array-api, version 2024.12.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray


def array_namespace(array: Any) -> Any:
    """The functions of the standard for arrays of this kind."""
    if type(array) is np.ndarray:
        return NUMPY
    import array_api_compat

    return array_api_compat.array_namespace(array)


def device(array: Any) -> Any:
    """Where an array is."""
    return array.device if hasattr(array, "device") else "cpu"


class _Numpy(SimpleNamespace):
    """numpy, but for what is different in the standard."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _asarray(values: Any, *, dtype: Any = None, device: str = "cpu", copy: bool | None = None) -> NDArray[Any]:
    assert device == "cpu"
    return np.array(values, dtype=dtype) if copy else np.asarray(values, dtype=dtype)


def _sort(x: NDArray[Any], *, axis: int = -1, descending: bool = False, stable: bool = True) -> NDArray[Any]:
    ascending = np.sort(x, axis=axis, kind="stable" if stable else None)
    return np.flip(ascending, axis=axis) if descending else ascending


def _argsort(x: NDArray[Any], *, axis: int = -1, descending: bool = False, stable: bool = True) -> NDArray[Any]:
    kind: Any = "stable" if stable else None
    if not descending:
        return np.argsort(x, axis=axis, kind=kind)
    # Read backwards, equal numbers come in the wrong order; counted from behind and read backwards, in the right one.
    backwards = np.argsort(np.flip(x, axis=axis), axis=axis, kind=kind)
    return np.flip(x.shape[axis] - 1 - backwards, axis=axis)


def _cumulative_sum(x: NDArray[Any], *, axis: int | None = None, dtype: Any = None) -> NDArray[Any]:
    return np.cumsum(x, axis=axis, dtype=dtype)


def _astype(x: NDArray[Any], dtype: Any) -> NDArray[Any]:
    return x.astype(dtype)


NUMPY = _Numpy(asarray=_asarray, sort=_sort, argsort=_argsort, cumulative_sum=_cumulative_sum, astype=_astype)
"""The standard for numpy arrays."""
