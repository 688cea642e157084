import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pictures  # noqa: F401  (says why when matplotlib is missing)
from cutaway.errors import ConfigError
from cutaway.plots import matrix

TABLES = arrays(
    np.float64, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.floats(-9, 9) | st.just(np.nan)
)


@pytest.mark.parametrize(
    ("values", "axes", "message"),
    [
        (np.zeros((2, 3)), [("a", "xy")], r"shape \(2, 3\) do not fit"),
        (np.zeros((2, 3)), [("a", "xy"), ("b", "xy")], r"axes of \(2, 2\) labels"),
        (np.zeros((0, 3)), [("a", []), ("b", "xyz")], "nothing to draw"),
        (["a"], [("a", "x")], "give real numbers"),
        ([1j], [("a", "x")], "give real numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(values, axes, message):
    with pytest.raises(ConfigError, match=message):
        matrix.checked(values, axes)


def test_infinite_numbers_count_as_missing():
    found = matrix.checked([1, np.inf, -np.inf, np.nan], [("a", range(4))])
    assert np.array_equal(found, [1, np.nan, np.nan, np.nan], equal_nan=True)


def test_the_number_of_axes_is_checked():
    with pytest.raises(ConfigError, match="of 2 axes, not 1; choose one place"):
        matrix.matrix([1, 2], [("a", range(2))])


def test_the_future_is_left_out():
    assert np.array_equal(matrix.causal(np.ones((2, 2))), [[1, np.nan], [1, 1]], equal_nan=True)


@given(TABLES, st.integers(1, 25), st.integers(1, 25))
def test_blocks_hold_what_a_loop_finds(values, rows, columns):
    n, m = min(rows, values.shape[0]), min(columns, values.shape[1])
    means, largest = (how(values, rows, columns) for how in (matrix.mean_of_blocks, matrix.largest_of_blocks))
    assert means.shape == largest.shape == (n, m)
    for i in range(n):
        for j in range(m):
            block = values[share(i, n, values.shape[0]), share(j, m, values.shape[1])]
            known = block[~np.isnan(block)]
            assert means[i, j] == pytest.approx(known.mean() if known.size else np.nan, nan_ok=True, abs=1e-12)
            assert largest[i, j] == pytest.approx(known.max() if known.size else np.nan, nan_ok=True)


def share(i, n, total):
    """The places that the i-th of n blocks holds."""
    return slice(i * total // n, (i + 1) * total // n)


@given(TABLES)
def test_enlarging_repeats_and_shrinking_undoes_it(values):
    rows, columns = values.shape[0] * 3, values.shape[1] * 2
    large = matrix.enlarged(values, rows, columns)
    assert large.shape == (rows, columns)
    assert np.array_equal(large[::3, ::2], values, equal_nan=True)
    assert np.array_equal(matrix.largest_of_blocks(large, *values.shape), values, equal_nan=True)
