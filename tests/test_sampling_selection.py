"""Selecting finds what sorting finds: the k-th largest number, and the end of the nucleus."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.sampling import SamplingParams, draw, nucleus, truncate
from cutaway.sampling.nucleus import nucleus_end
from cutaway.sampling.selection import ROWS, kth_largest
from logit_rows import rows

V = 50_257
DTYPES = np.float32, np.float64
TIED = [0.25, 0.5, 0.75, 0.9, 1 - 1e-7]


@given(rows(40 * ROWS, DTYPES), st.data())
def test_the_kth_largest_is_the_kth_when_sorted(row, data):
    k = data.draw(st.one_of(st.integers(1, len(row)), st.integers(1, min(len(row), 30))))
    expected = np.sort(row)[-k]
    for numbers in (row, torch.from_numpy(row)):
        assert kth_largest(numbers, k) == expected


def test_with_something_that_is_not_a_number_it_is_still_what_sorting_finds():
    row = np.arange(10_000.0)
    row[77] = np.nan
    assert kth_largest(row, 5) == np.sort(row)[-5]


@pytest.fixture(params=[(0, 4), (0, 1024), (5, 3)])
def finely(request, monkeypatch):
    """Have short rows selected from too, with bins of which each holds many or few."""
    few, bins = request.param
    monkeypatch.setattr(nucleus, "FEW", few)
    monkeypatch.setattr(nucleus, "BINS", bins)


@pytest.mark.usefixtures("finely")
@given(row=rows(300, DTYPES), mass=st.one_of(st.floats(1e-6, 1, exclude_max=True), st.sampled_from(TIED)))
def test_the_nucleus_ends_where_it_does_when_all_are_sorted_and_added_up(row, mass):
    assert nucleus_end(row, mass) == nucleus._sorted(row, mass)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.03, 0.3, 1.0, 2.5, 8.0]), st.floats(0.01, 0.999))
def test_of_a_real_vocabulary_rounding_decides_nothing_and_it_ends_there_too(seed, scale, mass):
    row = (np.random.default_rng(seed).standard_normal(V) * scale).astype(np.float32)
    found = nucleus._selected(row, mass)
    assert found is not None
    assert found == nucleus._sorted(row, mass) == nucleus_end(torch.from_numpy(row), mass)


@pytest.mark.parametrize("value", [0.0, 3.25])
@pytest.mark.parametrize("mass", TIED)
def test_of_equals_all_are_kept(value, mass):
    assert nucleus_end(np.full(V, value, np.float32), mass) == value


@pytest.mark.parametrize(
    "changes", [{}, {"top_k": 50}, {"top_k": 5_000, "top_p": 0.5}, {"top_p": 1.0, "min_p": 0.02}, {"temperature": 1.7}]
)
def test_what_is_drawn_is_what_sorting_everything_draws(changes):
    params = SamplingParams(**changes)
    generator = np.random.default_rng(5)
    for scale in (0.3, 2.5, 6.0):
        row = (generator.standard_normal(V) * scale).astype(np.float32)
        for uniform in (1e-9, *generator.random(5), 1.0):
            assert draw(truncate(row, params), uniform) == plainly_drawn(row, params, uniform)


def plainly_drawn(row, params, uniform):
    """The token, by probabilities that are sorted, cut and laid end to end over the whole vocabulary."""
    row = row / params.temperature
    kept = row >= np.sort(row)[-(params.top_k or len(row))]
    weights = np.where(kept, np.exp(row - row.max()), 0).astype(np.float64)
    if params.top_p < 1:
        order = np.argsort(weights, kind="stable")
        gone = weights[order].cumsum() <= (1 - params.top_p) * weights.sum()
        kept = row >= row[order[gone.sum()]]
    weights = weights * kept * (weights >= params.min_p)
    ends = weights.cumsum()
    return int(np.argmax(ends >= uniform * ends[-1]))
