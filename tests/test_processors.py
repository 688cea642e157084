"""Every processor against the one of the same purpose in `transformers`, from numpy and from torch."""

from collections import Counter

import numpy as np
import pytest
import torch
import transformers
from hypothesis import assume, given
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.sampling import SamplingParams, log_softmax, penalize, processors, softmax, truncate

IMPOSSIBLE = -np.inf


@st.composite
def distinct_logits(draw, rows=2):
    """Rows of distinct numbers in random order, some rows flat and some steep, some with impossible tokens."""
    n_vocab = draw(st.integers(2, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = generator.standard_normal((rows, n_vocab)) * draw(st.sampled_from([0.1, 1.0, 5.0]))
    impossible = generator.random((rows, n_vocab)) < draw(st.sampled_from([0.0, 0.3]))
    impossible[:, generator.integers(n_vocab)] = False
    return np.where(impossible, IMPOSSIBLE, logits)


def histories(n_vocab):
    return st.lists(st.integers(0, n_vocab - 1), min_size=1, max_size=30)


def assert_same(logits, ours, theirs):
    """Our function on numpy in float64, torch in float64 and float32, all like that of `transformers`."""
    for dtype in (torch.float64, torch.float32):
        given = torch.tensor(logits, dtype=dtype)
        expected = theirs(given.clone())
        tolerance = 1e-12 if dtype == torch.float64 else 1e-5
        torch.testing.assert_close(ours(given), expected, rtol=tolerance, atol=tolerance)
        from_numpy = ours(given.numpy())
        assert isinstance(from_numpy, np.ndarray)
        assert from_numpy.dtype == given.numpy().dtype
        np.testing.assert_allclose(from_numpy, expected.numpy(), rtol=tolerance, atol=tolerance)
        # What is possible must agree exactly, and so must every logit between the two libraries.
        np.testing.assert_array_equal(from_numpy, ours(given).numpy())


def warp(warper):
    return lambda scores: warper(torch.zeros((len(scores), 1), dtype=torch.long), scores)


@given(distinct_logits(), st.floats(0.05, 5))
def test_temperature_equals_transformers(logits, value):
    assert_same(logits, lambda x: processors.temperature(x, value), warp(transformers.TemperatureLogitsWarper(value)))


@given(distinct_logits(), st.integers(1, 50))
def test_top_k_equals_transformers(logits, k):
    assert_same(logits, lambda x: processors.top_k(x, k), warp(transformers.TopKLogitsWarper(k)))


@given(distinct_logits(), st.floats(0.01, 0.99))
def test_top_p_equals_transformers(logits, mass):
    assert_same(logits, lambda x: processors.top_p(x, mass), warp(transformers.TopPLogitsWarper(mass)))


@given(distinct_logits(), st.floats(0.001, 0.999))
def test_min_p_equals_transformers(logits, fraction):
    assert_same(logits, lambda x: processors.min_p(x, fraction), warp(transformers.MinPLogitsWarper(fraction)))


def is_beyond_rounding(logits, mass):
    """Whether float32 can tell all distances from the entropy apart, and each partial sum from the mass.

    Of two tokens at 0.50005 and 0.49995, say, both distances are 5e-5 and differ by 1e-9: which of them is kept is then
    decided by the last bit of a logarithm, in any implementation.
    """
    for row in logits:
        logprobs = log_softmax(row[np.isfinite(row)])
        probs = np.exp(logprobs)
        distance = np.abs(-logprobs + (probs * logprobs).sum())
        order = np.argsort(distance)
        apart, reached = np.diff(distance[order]), np.cumsum(probs[order])
        if apart.min(initial=1) < 2e-6 or np.abs(reached - mass).min() < 2e-6:
            return False
    return True


@given(distinct_logits(), st.floats(0.01, 0.99))
def test_typical_p_equals_transformers(logits, mass):
    assume(is_beyond_rounding(logits, mass))
    assert_same(logits, lambda x: processors.typical_p(x, mass), warp(transformers.TypicalLogitsWarper(mass)))


@given(st.data(), distinct_logits(rows=1), st.floats(0.2, 4))
def test_repetition_penalty_equals_transformers(data, logits, penalty):
    history = data.draw(histories(logits.shape[1]))
    processor = transformers.RepetitionPenaltyLogitsProcessor(penalty)
    assert_same(
        logits[0],
        lambda x: processors.repetition_penalty(x, penalty, history),
        lambda scores: processor(torch.tensor([history]), scores[None])[0],
    )


@given(st.data(), distinct_logits(rows=1), st.integers(1, 4))
def test_no_repeat_ngram_equals_transformers(data, logits, size):
    history = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=12))
    processor = transformers.NoRepeatNGramLogitsProcessor(size)
    assert_same(
        logits[0],
        lambda x: processors.ban(x, processors.ngram_completions(history, size)),
        lambda scores: processor(torch.tensor([history]), scores[None])[0],
    )


@given(st.data(), distinct_logits(rows=1))
def test_logit_bias_equals_transformers(data, logits):
    bias = data.draw(st.dictionaries(st.integers(0, logits.shape[1] - 1), st.floats(-50, 50, width=32), min_size=1))
    processor = transformers.SequenceBiasLogitsProcessor({(token,): value for token, value in bias.items()})
    assert_same(
        logits[0],
        lambda x: processors.logit_bias(x, bias),
        lambda scores: processor(torch.zeros((1, 1), dtype=torch.long), scores[None])[0],
    )


@given(st.data(), distinct_logits(rows=1))
def test_bans_equal_transformers(data, logits):
    tokens = data.draw(histories(logits.shape[1]))
    processor = transformers.SuppressTokensLogitsProcessor(tokens)
    assert_same(logits[0], lambda x: processors.ban(x, tokens), lambda scores: processor(None, scores[None])[0])


@given(st.data(), distinct_logits(rows=1), st.floats(-2, 2), st.floats(-2, 2))
def test_presence_and_frequency_follow_openai(data, logits, presence, frequency):
    # mu[j] -> mu[j] - c[j] * alpha_frequency - float(c[j] > 0) * alpha_presence
    generated = data.draw(histories(logits.shape[1]))
    counts = Counter(generated)
    expected = [x - counts[j] * frequency - float(counts[j] > 0) * presence for j, x in enumerate(logits[0])]
    np.testing.assert_allclose(processors.count_penalty(logits[0], presence, frequency, generated), expected)


@given(distinct_logits())
def test_softmax_and_its_logarithm_are_those_of_torch(logits):
    for function, name in ((softmax, "softmax"), (log_softmax, "log_softmax")):
        expected = getattr(torch.from_numpy(logits), name)(dim=-1)
        np.testing.assert_allclose(function(logits), expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(function(torch.from_numpy(logits)), expected)


def test_softmax_of_huge_logits_does_not_overflow():
    np.testing.assert_array_equal(softmax(np.array([1e30, -1e30, 1e30], dtype=np.float32)), [0.5, 0, 0.5])


TIED = np.log([0.4, 0.2, 0.2, 0.2])


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize(
    ("function", "kept"),
    [
        (lambda x: processors.top_k(x, 2), [0, 1, 2, 3]),
        (lambda x: processors.top_k(x, 1), [0]),
        (lambda x: processors.top_p(x, 0.5), [0, 1, 2, 3]),
        (lambda x: processors.top_p(x, 0.35), [0]),
        (lambda x: processors.min_p(x, 0.6), [0]),
        (lambda x: processors.min_p(x, 0.4), [0, 1, 2, 3]),
        (lambda x: processors.typical_p(x, 0.3), [1, 2, 3]),
    ],
)
def test_equally_likely_tokens_stay_or_go_together(kind, function, kept):
    result = function(kind(TIED))
    assert [token for token in range(4) if result[token] > IMPOSSIBLE] == kept


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: processors.top_k(x, 10**6),
        lambda x: processors.top_p(x, 1 - 1e-12),
        lambda x: processors.top_p(x, 1e-12),
        lambda x: processors.min_p(x, 1.0),
        lambda x: processors.typical_p(x, 1e-12),
        lambda x: processors.temperature(x, 1e-6),
    ],
)
def test_something_is_always_left(kind, function):
    for row in ([0.3, -2.0, 1.0], [1.0, IMPOSSIBLE, IMPOSSIBLE], [IMPOSSIBLE, 3.0, 2.0], [5.0]):
        logits = kind(np.array(row))
        result = function(logits)
        assert float(result.max()) > IMPOSSIBLE
        assert not bool((result != result).any())
        assert all(result[i] == IMPOSSIBLE for i in range(len(row)) if row[i] == IMPOSSIBLE)


def test_processors_leave_their_input_alone():
    logits = np.array([1.0, 2.0, 3.0])
    params = SamplingParams(
        temperature=0.5, top_k=2, top_p=0.5, min_p=0.1, typical_p=0.9, repetition_penalty=2.0, presence_penalty=1.0
    )
    truncate(penalize(logits, params.replace(logit_bias={0: 1.0}, banned_tokens=(1,)), [0], [2]), params)
    np.testing.assert_array_equal(logits, [1.0, 2.0, 3.0])


@given(st.data(), distinct_logits(rows=1))
def test_penalties_run_in_the_documented_order(data, logits):
    n_vocab = logits.shape[1]
    prompt, generated = data.draw(histories(n_vocab)), data.draw(histories(n_vocab))
    params = SamplingParams(
        logit_bias={0: 2.0},
        repetition_penalty=1.7,
        presence_penalty=0.3,
        frequency_penalty=0.2,
        no_repeat_ngram_size=2,
        banned_tokens=(1,),
    )
    history = [*prompt, *generated]
    expected = processors.logit_bias(logits[0], params.logit_bias)
    expected = processors.repetition_penalty(expected, 1.7, history)
    expected = processors.count_penalty(expected, 0.3, 0.2, generated)
    expected = processors.ban(expected, processors.ngram_completions(history, 2))
    expected = processors.ban(expected, (1,))
    np.testing.assert_array_equal(penalize(logits[0], params, prompt, generated), expected)


@given(distinct_logits())
def test_truncation_equals_the_warpers_of_transformers_in_their_order(logits):
    params = SamplingParams(temperature=0.7, top_k=12, top_p=0.9, min_p=0.02, typical_p=0.95)
    warpers = [
        transformers.TemperatureLogitsWarper(0.7),
        transformers.TopKLogitsWarper(12),
        transformers.TopPLogitsWarper(0.9),
        transformers.MinPLogitsWarper(0.02),
        transformers.TypicalLogitsWarper(0.95),
    ]

    def theirs(scores):
        for warper in warpers:
            scores = warper(None, scores)
        return scores

    assert_same(logits, lambda x: truncate(x, params), theirs)


@given(distinct_logits(rows=1))
def test_defaults_that_mean_nothing_do_nothing(logits):
    params = SamplingParams(temperature=1, top_p=1)
    assert truncate(logits, params) is logits
    assert penalize(logits[0], params, [0], [1]).base is logits


def test_only_generated_tokens_count_for_presence_and_frequency():
    params = SamplingParams(presence_penalty=1.0, frequency_penalty=1.0)
    np.testing.assert_array_equal(penalize(np.zeros(3), params, [0, 0], [1, 1]), [0, -3, 0])


@pytest.mark.parametrize("changes", [{"banned_tokens": (7,)}, {"logit_bias": {7: 1.0}}])
def test_a_token_outside_the_vocabulary_is_refused(changes):
    with pytest.raises(GenerationError, match="token id 7 is not in a vocabulary of 3; ids run from 0 to 2"):
        penalize(np.zeros(3), SamplingParams(**changes), [0], [])


@pytest.mark.parametrize(
    ("history", "size", "banned"),
    [
        ([1, 2, 3, 1, 2], 3, {3}),
        ([1, 2, 3, 1, 2, 4, 1, 2], 3, {3, 4}),
        ([1, 2], 3, set()),
        ([5, 6, 5], 1, {5, 6}),
        ([5, 5], 2, {5}),
        ([1], 2, set()),
        ([], 1, set()),
    ],
)
def test_completions_of_known_ngrams(history, size, banned):
    assert processors.ngram_completions(history, size) == banned
