"""What the kernels draw is what numpy draws, to the token; where rounding might decide, they leave it to numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.generate.choice import choose, weighed
from cutaway.native import available, choice
from cutaway.native.choice import choose as choose_native
from cutaway.native.choice import logprob
from cutaway.native.library import LIBRARY_VARIABLE, instruction_sets
from cutaway.sampling import SamplingParams, draw, truncate
from logit_rows import rows
from native_models import needs_kernels

pytestmark = needs_kernels
V = 50_257
CHANCE = np.nextafter(0, 1), 1e-9, 0.5, 1 - 2**-53, 1.0


@pytest.fixture(autouse=True)
def however_few(monkeypatch):
    """Have short rows drawn from natively too."""
    monkeypatch.setattr(choice, "FEW", 0)


cuts = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.05, 0.7, 1.0, 1.3]),
    top_k=st.sampled_from([0, 1, 3, 50, 1000]),
    top_p=st.one_of(st.sampled_from([1.0, 0.5, 0.75, 0.95]), st.floats(1e-6, 1)),
    min_p=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)


@pytest.mark.parametrize("isa", instruction_sets() if available() else [])
@settings(max_examples=300)
@given(row=rows(300), params=cuts, uniform=st.one_of(st.sampled_from(CHANCE), st.floats(0, 1, exclude_min=True)))
def test_a_token_is_the_one_that_numpy_draws_or_none(row, params, uniform, isa):
    token = choose_native(row, params, uniform, isa)
    assert token in (None, draw(truncate(row, params), uniform))


@given(st.integers(0, 2**32 - 1), cuts, st.sampled_from([0.3, 1.0, 2.5, 8.0]))
def test_from_a_real_vocabulary_too(seed, params, scale):
    generator = np.random.default_rng(seed)
    row = (generator.standard_normal(V) * scale).astype(np.float32)
    truncated = truncate(row, params)
    for uniform in (*CHANCE, *generator.random(20)):
        expected = draw(truncated, uniform)
        assert choose_native(row, params, uniform) in (None, expected)
        assert choose(row, params, uniform) == expected


@pytest.mark.parametrize("changes", [{}, {"top_k": 50}, {"top_p": 1.0}, {"min_p": 0.01}, {"temperature": 1.0}])
def test_it_is_in_doubt_about_few(changes):
    params, generator = SamplingParams(**changes), np.random.default_rng(1)
    tokens = [
        choose_native((generator.standard_normal(V) * 4).astype(np.float32), params, 1 - generator.random())
        for _ in range(400)
    ]
    assert tokens.count(None) < 20


def test_equally_likely_tokens_are_kept_or_dropped_together():
    row = np.log(np.array([0.4, 0.2, 0.2, 0.2], np.float32))
    params = SamplingParams(temperature=1, top_p=0.5)
    assert {choose_native(row, params, uniform) for uniform in (0.3, 0.5, 0.7, 0.9)} == {0, 1, 2, 3}
    assert {choose_native(row, params.replace(top_p=0.35), uniform) for uniform in (0.3, 0.9)} == {0}


@pytest.mark.parametrize("isa", instruction_sets() if available() else [])
@given(row=rows(300), token=st.integers(0, 299))
def test_log_probabilities_are_those_of_float64(row, token, isa):
    token %= len(row)
    wide = row.astype(np.float64)
    with np.errstate(divide="ignore"):
        expected = wide[token] - wide.max() - np.log(np.exp(wide - wide.max()).sum())
    np.testing.assert_allclose(logprob(row, token, isa), expected, rtol=2e-6, atol=2e-6)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5))
def test_a_token_weighs_the_same_wherever_it_is_told(seed, count):
    row = np.random.default_rng(seed).standard_normal(V).astype(np.float32)
    token = int(row.argmax())
    logprob_there, top = weighed(row, token, count)
    assert logprob_there == top[token]
    alone, nothing = weighed(row, token, 0)
    assert alone == pytest.approx(logprob_there, abs=2e-6)
    assert nothing == {}


@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [-np.inf] * 400, [np.nan] + [-np.inf] * 399])
@pytest.mark.parametrize("place", [0, 17, 399])
def test_where_nothing_can_be_drawn_numpy_says_why(bad, place):
    row = np.zeros(400, np.float32)
    row[: len(bad)] = bad
    row = np.roll(row, place)
    assert choose_native(row, SamplingParams(), 0.5) is None
    assert np.isnan(logprob(row, 3))
    with pytest.raises(GenerationError, match=r"not finite|every token is forbidden"):
        choose(row, SamplingParams(), 0.5)


def test_what_it_cannot_do_is_left_to_numpy():
    row = np.zeros(4000, np.float32)
    params = SamplingParams()
    assert choose_native(row[::2], params, 0.5) is None
    assert choose_native(row, params.replace(typical_p=0.9), 0.5) is None
    doubled = row.astype(np.float64)
    assert choose(doubled, params, 0.5) == draw(truncate(doubled, params), 0.5)


def test_a_number_on_the_border_between_two_tokens_is_in_doubt():
    row = np.zeros(16, np.float32)
    assert choose_native(row, SamplingParams(temperature=1, top_p=1), 0.5) is None
    assert choose_native(row, SamplingParams(temperature=1, top_p=1), 0.5001) == 8


def test_where_the_nucleus_ends_between_two_is_in_doubt():
    row = np.zeros(16, np.float32)
    row[8:] = -1
    mass = 8 / (8 + 8 * np.exp(-1))
    params = SamplingParams(temperature=1, top_p=float(mass))
    assert choose_native(row, params, 0.3) is None
    assert choose_native(row, params.replace(top_p=float(mass) - 0.01), 0.3) == 2


def test_without_a_library_numpy_draws(monkeypatch, tmp_path):
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "nothing.so"))
    row = np.arange(4000, dtype=np.float32)
    assert choose_native(row, SamplingParams(), 0.5) is None
    assert choose(row, SamplingParams(), 0.5) == draw(truncate(row, SamplingParams()), 0.5)
