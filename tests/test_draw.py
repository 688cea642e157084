"""A token from logits: exactly as likely as it should be, from numbers that only the seed decides."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.sampling import check_possible, draw, fresh_seed, most_likely, most_likely_logprobs, uniforms

KINDS = [np.asarray, torch.tensor]
FORBIDDEN = -np.inf

uniform = st.floats(0, 1, exclude_min=True)
rows = st.lists(st.one_of(st.floats(-20, 20), st.just(FORBIDDEN)), min_size=1, max_size=30).filter(
    lambda row: max(row) > FORBIDDEN
)


@given(rows, uniform)
def test_an_impossible_token_is_never_drawn(row, u):
    for kind in KINDS:
        assert row[draw(kind(row), u)] > FORBIDDEN


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("u", [1.0, 0.5, 5e-324, 1 - 2**-53])
def test_the_ends_of_the_interval_draw_possible_tokens(kind, u):
    assert draw(kind([FORBIDDEN, 0.0, FORBIDDEN]), u) == 1
    assert draw(kind([FORBIDDEN, 0.0, 0.0, FORBIDDEN]), u) in (1, 2)


@given(rows, uniform)
def test_numpy_and_torch_draw_the_same_token(row, u):
    assert draw(np.array(row), u) == draw(torch.tensor(row, dtype=torch.float64), u)


def test_numpy_and_torch_draw_the_same_token_from_a_real_vocabulary():
    logits = np.random.default_rng(0).standard_normal(50257).astype(np.float32) * 3
    numbers = list(itertools.islice(uniforms(0, 0), 50))
    assert [draw(logits, u) for u in numbers] == [draw(torch.from_numpy(logits), u) for u in numbers]


def test_the_probabilities_lie_end_to_end():
    logits = np.log([0.25, 0.5, 0.25])
    assert [draw(logits, u) for u in (0.01, 0.25, 0.26, 0.74, 0.76, 1.0)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("seed", range(3))
def test_frequencies_match_probabilities(seed):
    probs = np.array([0.4, 0.3, 0.15, 0.1, 0.04, 0.01, 0.0])
    with np.errstate(divide="ignore"):
        logits = np.log(probs)
    n = 4000
    numbers = itertools.islice(uniforms(seed, 0), n)
    counts = np.bincount([draw(logits, u) for u in numbers], minlength=7)
    assert counts[6] == 0
    chi_square = float(((counts - n * probs)[:6] ** 2 / (n * probs[:6])).sum())
    assert chi_square < 20.5, "the 0.1% point for 5 degrees of freedom"


def test_uniforms_depend_on_the_seed_and_the_sample_alone():
    def first(seed, sample):
        return tuple(itertools.islice(uniforms(seed, sample), 5))

    one, other = uniforms(7, 0), uniforms(7, 1)
    interleaved = [next(stream) for _ in range(5) for stream in (one, other)]
    assert tuple(interleaved[::2]) == first(7, 0)
    assert tuple(interleaved[1::2]) == first(7, 1)
    streams = {first(seed, sample) for seed in (0, 1, 7, 2**64 - 1) for sample in (0, 1, 1023)}
    assert len(streams) == 12


GOLDEN = [0.6652763187017905, 0.41026982801576917, 0.30823427535623904]


def test_uniforms_are_the_same_on_every_machine():
    assert list(itertools.islice(uniforms(1234, 0), 3)) == GOLDEN


@given(st.integers(0, 2**64 - 1), st.integers(0, 1023))
def test_uniforms_lie_above_zero_and_at_most_one(seed, sample):
    assert all(0 < u <= 1 for u in itertools.islice(uniforms(seed, sample), 100))


def test_uniforms_are_uniform():
    counts = np.histogram(list(itertools.islice(uniforms(3, 2), 10_000)), bins=10, range=(0, 1))[0]
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 27.9, "the 0.1% point for 9 degrees of freedom"


def test_fresh_seeds_differ_and_are_valid():
    seeds = {fresh_seed() for _ in range(20)}
    assert len(seeds) > 15
    assert all(0 <= seed < 2**64 for seed in seeds)


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_likely_token_of_equals_has_the_lowest_id(kind):
    assert most_likely(kind([1.0, 3.0, 3.0, FORBIDDEN])) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choose", [most_likely, check_possible, lambda logits: draw(logits, 0.5)])
@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ([FORBIDDEN, FORBIDDEN], "every token is forbidden; allow some by relaxing the bans"),
        ([0.0, np.nan], "logits are not finite numbers"),
        ([0.0, np.inf], "logits are not finite numbers"),
    ],
)
def test_logits_without_a_choice_are_refused(kind, choose, row, sentence):
    with pytest.raises(GenerationError, match=sentence):
        choose(kind(row))


@given(rows, st.integers(1, 40))
def test_most_likely_logprobs_are_the_first_of_a_stable_sort(row, count):
    logits = torch.tensor(row, dtype=torch.float64)
    logprobs = logits.log_softmax(dim=-1).tolist()
    order = sorted(range(len(row)), key=lambda token: (-logprobs[token], token))[:count]
    for found in (most_likely_logprobs(logits, count), most_likely_logprobs(logits.numpy(), count)):
        assert list(found) == order
        assert list(found.values()) == pytest.approx([logprobs[token] for token in order])
