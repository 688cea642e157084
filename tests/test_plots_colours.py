import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pictures  # noqa: F401  (says why when matplotlib is missing)
from cutaway.errors import ConfigError
from cutaway.plots.colours import DIVERGING, NOTHING_RGB, SEQUENTIAL, Scale, on, scale_of, table

NUMBERS = arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e6, 1e6) | st.just(np.nan))


@given(NUMBERS, st.booleans())
def test_there_are_colours_for_any_numbers(values, diverging):
    scale = scale_of(values, diverging=diverging)
    known = values[~np.isnan(values)]
    below, above = bool((known < scale.low).any()), bool((known > scale.high).any())
    assert scale.beyond == (below, above)
    assert scale.rgb(values).shape == (len(values), 3)
    if diverging:
        assert scale.low == -scale.high


def test_colours_reach_from_the_lowest_to_the_highest():
    scale = scale_of(np.array([1.0, 2.0, 4.0]))
    assert (scale.low, scale.high, scale.extend) == (1, 4, "neither")
    scale = scale_of(np.array([-1.0, 2.0]), diverging=True)
    assert (scale.low, scale.high, scale.colours) == (-2, 2, DIVERGING)


def test_a_few_extremes_do_not_blind():
    values = np.append(np.linspace(-1, 1, 2000), [50.0])
    scale = scale_of(values)
    assert scale.low == -1
    assert 0.9 < scale.high < 1.1
    assert scale.extend == "max"
    assert scale_of(values, limits=(0, 50)).high == 50


def test_the_pixels_are_those_of_matplotlib():
    values = np.linspace(-2, 5, 1000)
    scale = scale_of(values, diverging=True)
    theirs = scale.map()(scale.norm()(values), bytes=True)[:, :3]
    assert np.abs(scale.rgb(values).astype(int) - theirs).max() <= 3
    assert (scale.rgb(np.array([-5.0, 5.0])) == table(DIVERGING)[[0, -1]]).all()


def test_a_power_under_one_spreads_small_numbers():
    plain, spread = (Scale(low=0, high=1, power=power) for power in (1, 0.5))
    assert (spread.rgb(np.array([0.25])) == plain.rgb(np.array([0.5]))).all()
    assert spread.norm()(0.25) == pytest.approx(0.5)


def test_missing_numbers_have_their_own_colour():
    assert tuple(scale_of(np.array([np.nan])).rgb(np.array([np.nan]))[0]) == NOTHING_RGB


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_impossible_ends_are_refused(low, high):
    with pytest.raises(ConfigError, match="give two numbers in order"):
        Scale(low=low, high=high)


def test_text_can_be_read_on_any_colour():
    """At least 4.5 to 1, the contrast that WCAG asks for."""
    for name in (SEQUENTIAL, DIVERGING, "Oranges"):
        for colour in table(name):
            ink = 0.0 if on(colour) == "#000000" else 1.0
            background = luminance(colour / 255)
            assert (max(ink, background) + 0.05) / (min(ink, background) + 0.05) >= 4.5


def luminance(colour):
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]
