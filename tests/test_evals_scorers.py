import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import EvaluationError, GenerationError
from cutaway.evals.logprobs import LogSoftmax
from cutaway.evals.native_scorer import NativeScorer
from cutaway.evals.passage import Passage, continuation
from cutaway.evals.prefix_tree import levels
from cutaway.evals.scorers import scorer_of
from cutaway.evals.torch_scorer import TorchScorer
from cutaway.native import NativeModel, available
from native_models import SHAPES, calm_model, native_model, needs_kernels, plain_logits

CONFIG = SHAPES["odd"]
TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=12)


def slowly(model, passage):
    """The truth: the whole passage through the plain network, alone, in float64."""
    logprobs = torch.from_numpy(plain_logits(model, list(passage.tokens[:-1]))).log_softmax(-1).numpy()
    rows = range(passage.first - 1, len(passage.tokens) - 1)
    targets = passage.tokens[passage.first :]
    values = np.array([logprobs[row, token] for row, token in zip(rows, targets, strict=True)])
    return values, all(logprobs[row].argmax() == token for row, token in zip(rows, targets, strict=True))


def passages_of(config, seed=0, count=40):
    """Passages of which many begin alike, some are equal, and some are as long as the context allows."""
    random = np.random.default_rng(seed)
    stems = [random.integers(config.vocab_size, size=n).tolist() for n in (1, 3, 9, 20)]
    made = [Passage(tokens=random.integers(config.vocab_size, size=config.block_size + 1).tolist(), first=1)]
    for number in range(count):
        stem = stems[number % len(stems)]
        tail = random.integers(config.vocab_size, size=random.integers(1, 12)).tolist()
        made.append(Passage(tokens=[*stem, *tail], first=int(random.integers(1, len(stem) + len(tail)))))
    return [*made, made[3], made[1]]


@pytest.fixture(scope="module")
def model():
    return calm_model(CONFIG)


@pytest.fixture(params=["native", "torch"])
def scorer(request, model):
    if request.param == "torch":
        return TorchScorer(model)
    if not available():
        pytest.skip(available().detail)
    return scorer_of(native_model(model))


def test_passages_together_score_what_each_scores_alone_through_the_plain_network(scorer, model):
    passages = passages_of(CONFIG)
    for passage, found in zip(passages, scorer.score(passages), strict=True):
        logprobs, _ = slowly(model, passage)
        np.testing.assert_allclose(found.logprobs, logprobs, atol=1e-4)
        assert found.total == pytest.approx(logprobs.sum(), abs=1e-3)


def test_what_greedy_decoding_would_write_is_known_as_such(scorer, model):
    tokens = [5, 6, 7]
    for _ in range(6):
        tokens.append(int(plain_logits(model, tokens)[-1].argmax()))
    likely = Passage(tokens=tokens, first=3)
    others = [Passage(tokens=[*tokens[:-1], (tokens[-1] + 1) % CONFIG.vocab_size], first=3)]
    others.append(Passage(tokens=tokens, first=2))
    found = scorer.score([likely, *others])
    assert [result.greedy for result in found] == [slowly(model, p)[1] for p in (likely, *others)]
    assert found[0].greedy


def test_a_passage_over_the_context_is_refused(scorer):
    whole = Passage(tokens=[0] * (CONFIG.block_size + 2), first=1)
    with pytest.raises(EvaluationError, match="a passage reads 34 tokens, the model 33"):
        scorer.score([whole])


@pytest.mark.parametrize("tokens", [[999, 1, 2], [1, 2, 999]])
def test_an_id_outside_the_vocabulary_is_refused(scorer, tokens):
    with pytest.raises(GenerationError, match="token id 999 is not in the model's vocabulary of 301"):
        scorer.score([Passage(tokens=tokens, first=1)])


def test_no_passages_give_no_scores(scorer):
    assert scorer.score([]) == []


@needs_kernels
def test_small_memory_and_small_calls_change_no_bit(model, monkeypatch):
    passages = passages_of(CONFIG)
    scorer = NativeScorer(native_model(model))
    expected = scorer.score(passages)
    monkeypatch.setattr("cutaway.evals.native_scorer.CACHE_BYTES", 100_000)
    monkeypatch.setattr("cutaway.evals.native_scorer.TOKENS_AT_ONCE", 7)
    monkeypatch.setattr("cutaway.evals.native_scorer.ANSWERS_AT_ONCE", 3)
    for one, other in zip(expected, scorer.score(passages), strict=True):
        np.testing.assert_array_equal(one.logprobs, other.logprobs)
        assert one.greedy == other.greedy


@needs_kernels
def test_endings_of_one_context_read_it_once(model, monkeypatch):
    read = []
    forward = NativeModel.forward

    def counting(self, cache, slots, tokens, answers=None):
        read.append(sum(map(len, tokens)))
        return forward(self, cache, slots, tokens, answers)

    monkeypatch.setattr(NativeModel, "forward", counting)
    context, endings = list(range(20)), [[21, 22, 23], [24, 25], [26, 27, 28, 29], [30]]
    NativeScorer(native_model(model)).score([continuation(context, ending, 33) for ending in endings])
    # An ending's last token is not read, so one of a single token costs nothing more than the context.
    assert sum(read) == 20 + 2 + 1 + 3


@given(st.lists(TOKENS, min_size=1, max_size=12))
def test_the_tree_holds_every_row_and_goes_through_shared_beginnings_once(rows):
    tree = levels(rows)
    whole = dict.fromkeys(range(len(rows)), ())
    ends: list[dict[int, int]] = []
    for depth, level in enumerate(tree):
        for run in level:
            assert run.tokens
            before = 0 if run.parent is None else tree[depth - 1][run.parent].end
            assert run.start == before
            assert run.parent is None or set(run.rows) <= set(tree[depth - 1][run.parent].rows)
            for row in run.rows:
                whole[row] += tuple(run.tokens)
        ends.append({})
    assert [list(whole[row]) for row in range(len(rows))] == rows
    assert sum(len(run.tokens) for level in tree for run in level) <= sum(map(len, rows))


def test_rows_that_share_enough_branch_where_they_part():
    first, second, third = levels([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 7], [1, 2, 3, 4]]), None, None
    assert [[run.tokens for run in level] for level in first] == [[[1, 2, 3, 4]], [[5, 6], [7]]]
    second = levels([[1, 2, 9], [1, 2, 8]])
    assert [[list(run.tokens) for run in level] for level in second] == [[[1, 2, 8], [1, 2, 9]]]
    third = levels([])
    assert third == []


def test_log_softmax_is_that_of_float64_for_the_asked_tokens():
    random = np.random.default_rng(0)
    logits = (8 * random.standard_normal((21, 5000))).astype(np.float32)
    exact = logits.astype(np.float64)
    exact -= np.log(np.exp(exact - exact.max(1, keepdims=True)).sum(1, keepdims=True)) + exact.max(1, keepdims=True)
    rows, targets = np.array([0, 0, 20, 7, 7]), np.array([3, int(exact[0].argmax()), 4999, 1, 2])
    values, likeliest = LogSoftmax(3)(logits, rows, targets)
    np.testing.assert_allclose(values, exact[rows, targets], atol=2e-6)
    assert likeliest.tolist() == [False, True, False, False, False]


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(GenerationError, match="not finite"):
        LogSoftmax(1)(np.full((1, 4), np.nan, np.float32), np.array([0]), np.array([1]))


def test_a_long_context_loses_its_beginning():
    passage = continuation(range(10), [10, 11], 5)
    assert (list(passage.tokens), passage.first) == ([6, 7, 8, 9, 10, 11], 4)


@pytest.mark.parametrize(("context", "tokens"), [([], [1]), ([1], []), ([1], [1, 2, 3, 4])])
def test_a_continuation_of_nothing_or_over_the_context_is_refused(context, tokens):
    with pytest.raises(EvaluationError, match="cannot be scored"):
        continuation(context, tokens, 3)


@pytest.mark.parametrize("first", [0, 3, -1])
def test_a_passage_scores_something_that_follows_something(first):
    with pytest.raises(EvaluationError, match="nothing can be scored"):
        Passage(tokens=[1, 2, 3], first=first)
