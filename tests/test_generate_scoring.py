"""Scoring a text: the loss of `transformers`, windows that never lose or repeat a token, ranks and tables."""

import itertools
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.generate import generate, score
from cutaway.generate.scoring import windows
from cutaway.sampling import SamplingParams
from tiny import TOKENIZER, prompt_of, tiny_model, twins


@pytest.mark.parametrize("seed", range(3))
def test_the_sum_of_logprobs_is_the_loss_of_transformers(seed):
    model, peer = twins(seed, dtype=torch.float64)
    ids = prompt_of(30, seed)
    with torch.inference_mode():
        loss = float(peer(torch.tensor([ids]), labels=torch.tensor([ids])).loss)
    # `transformers` takes the loss in float32 whatever the model is in.
    logprobs = [token.logprob for token in score(model, TOKENIZER, ids)]
    assert logprobs[0] is None
    assert -sum(logprobs[1:]) / 29 == pytest.approx(loss, rel=1e-6)


def test_scores_equal_the_logprobs_reported_while_generating():
    model, prompt = tiny_model(1), prompt_of(4)
    made = generate(model, TOKENIZER, [prompt], SamplingParams(max_tokens=10, seed=1, ignore_eot=True))[0].samples[0]
    scored = score(model, TOKENIZER, [*prompt, *made.tokens])
    assert [token.logprob for token in scored[4:]] == pytest.approx(made.logprobs)


def context_of(position, block_size):
    """Where the window begins in which the token at `position` is scored, by the rule as it is stated.

    The first window is full; each later one moves on by half a context and scores only the tokens it adds.
    """
    end, stride = block_size, max(1, block_size // 2)
    while position > end:
        end += stride
    return end - block_size


@given(length=st.integers(1, 40), block_size=st.integers(1, 9))
@settings(max_examples=20)
def test_a_long_text_is_scored_as_the_rule_says(length, block_size):
    model, ids = tiny_model(2, block_size=block_size, n_layer=1), prompt_of(length)
    for token in score(model, TOKENIZER, ids)[1:]:
        # The last window ends with the text and so begins earlier.
        start = min(context_of(token.position, block_size), max(0, length - block_size))
        with torch.inference_mode():
            before = model(torch.tensor([ids[start : token.position]]))[0][0, -1].log_softmax(dim=-1)
        assert token.logprob == pytest.approx(float(before[ids[token.position]]))


@given(st.integers(1, 500), st.integers(1, 40))
def test_windows_cover_every_token_once_with_half_a_context_before_it(length, block_size):
    covered = []
    for start, first, end in windows(length, block_size):
        assert 0 <= start <= first < end <= length
        assert end - start <= block_size
        assert first == 0 or first - start >= block_size - max(1, block_size // 2)
        covered += range(first, end)
    assert covered == list(range(length))


def test_a_text_of_several_batches_of_logits_is_scored_alike():
    model, ids = tiny_model(3, block_size=200), prompt_of(150)
    with torch.inference_mode():
        expected = model(torch.tensor([ids]))[0][0, :-1].log_softmax(dim=-1)[range(149), ids[1:]]
    assert [token.logprob for token in score(model, TOKENIZER, ids)[1:]] == pytest.approx(expected.tolist())


def test_a_rank_counts_the_tokens_found_likelier():
    model, ids = tiny_model(4), prompt_of(12)
    scored = score(model, TOKENIZER, ids, top=model.config.vocab_size)
    assert scored[0].rank is None
    for before, token in itertools.pairwise(scored):
        order = [prediction.token for prediction in before.predictions]
        assert order[token.rank - 1] == token.token


def test_the_next_token_table_lists_the_likeliest_first():
    model, ids = tiny_model(5), prompt_of(6)
    with torch.inference_mode():
        probs = model(torch.tensor([ids]))[0][0].softmax(dim=-1)
    for token, row in zip(score(model, TOKENIZER, ids, top=4), probs, strict=True):
        values, expected = row.topk(4)
        assert [prediction.token for prediction in token.predictions] == expected.tolist()
        assert [prediction.probability for prediction in token.predictions] == pytest.approx(values.tolist())
        assert [prediction.piece for prediction in token.predictions] == TOKENIZER.pieces(expected.tolist())


def test_surprise_is_in_bits():
    model = tiny_model()
    with torch.no_grad():
        model.ln_f.weight.zero_()
        model.ln_f.bias.zero_()
    first, *rest = score(model, TOKENIZER, prompt_of(5))
    assert first.surprise_bits is None
    assert [token.surprise_bits for token in rest] == pytest.approx([math.log2(272)] * 4)


def test_each_token_says_where_and_what_it_is():
    ids = TOKENIZER.encode("the fox")
    scored = score(tiny_model(), TOKENIZER, ids)
    assert [token.position for token in scored] == list(range(len(ids)))
    assert [token.token for token in scored] == ids
    assert [token.piece for token in scored] == TOKENIZER.pieces(ids)
    assert all(token.predictions == () for token in scored)


def test_a_score_becomes_json():
    token = score(tiny_model(), TOKENIZER, [5, 6], top=1)[1]
    values = json.loads(json.dumps(token.to_dict()))
    assert set(values) == {"position", "token", "piece", "logprob", "rank", "predictions", "surprise_bits"}
    assert values["surprise_bits"] == pytest.approx(-values["logprob"] / math.log(2))
    assert set(values["predictions"][0]) == {"token", "piece", "probability"}


@pytest.mark.parametrize(("ids", "sentence"), [([], "at least one token"), ([1, 999], "token id 999 is not in")])
def test_what_cannot_be_read_is_refused(ids, sentence):
    with pytest.raises(GenerationError, match=sentence):
        score(tiny_model(), TOKENIZER, ids)


def test_ids_beyond_the_tokenizer_are_not_predicted():
    scored = score(tiny_model(12, vocab_size=600), TOKENIZER, prompt_of(3), top=100)
    assert all(prediction.token < TOKENIZER.n_vocab for token in scored for prediction in token.predictions)
