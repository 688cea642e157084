"""Contrastive search against equation 5 of Su et al. 2022, computed from scratch at every step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.generate import contrastive_search, generate
from cutaway.generate.contrastive import likeliest, scores
from cutaway.sampling import ContrastiveParams, SamplingParams, penalize
from tiny import EOT, TOKENIZER, prompt_of, tiny_model

MODEL = tiny_model(1, block_size=24)


def read(model, ids):
    """The final hidden states of a text and the logits after it, without any cache."""
    with torch.inference_mode():
        states = model.hidden(torch.tensor([ids]))[0]
        return states, model.lm_head(states[-1])


def by_hand(model, prompt, params, contrastive):
    """argmax over v of (1 - α) p(v | x) - α max over j of cos(h_v, h_j), the top k alone in the running."""
    ids = list(prompt)
    for _ in range(params.max_tokens):
        states, logits = read(model, ids)
        probs = penalize(logits, params, prompt, ids[len(prompt) :]).softmax(dim=-1)
        values = {}
        for token in probs.topk(contrastive.top_k).indices.tolist():
            candidate = read(model, [*ids, token])[0][-1]
            similarity = max(float(torch.cosine_similarity(candidate, state, dim=0)) for state in states)
            values[token] = (1 - contrastive.alpha) * float(probs[token]) - contrastive.alpha * similarity
        ids.append(max(values, key=values.get))
    return ids[len(prompt) :]


def search(prompt, params, contrastive, model=MODEL):
    return contrastive_search(model, TOKENIZER, prompt, params, contrastive).samples[0]


@given(
    length=st.integers(1, 12),
    seed=st.integers(0, 1000),
    top_k=st.integers(1, 8),
    alpha=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    penalty=st.sampled_from([1.0, 1.3]),
)
@settings(max_examples=12)
def test_contrastive_search_equals_the_equation(length, seed, top_k, alpha, penalty):
    params = SamplingParams(max_tokens=8, ignore_eot=True, repetition_penalty=penalty)
    contrastive = ContrastiveParams(top_k=top_k, alpha=alpha)
    prompt = prompt_of(length, seed)
    assert list(search(prompt, params, contrastive).tokens) == by_hand(MODEL, prompt, params, contrastive)


@pytest.mark.parametrize("contrastive", [ContrastiveParams(alpha=0, top_k=6), ContrastiveParams(alpha=0.9, top_k=1)])
@pytest.mark.parametrize("length", [3, 20, 30])
def test_without_contrast_or_choice_it_is_greedy_even_past_the_context(contrastive, length):
    params = SamplingParams(temperature=0, max_tokens=15)
    model = tiny_model(2, block_size=24, eot=EOT)
    greedy = generate(model, TOKENIZER, [prompt_of(length)], params)[0].samples[0]
    made = search(prompt_of(length), params, contrastive, model)
    assert made.tokens == greedy.tokens
    assert made.text == greedy.text
    assert made.finish_reason == greedy.finish_reason
    assert made.logprobs == pytest.approx(greedy.logprobs)


def test_contrast_changes_what_is_written():
    params = SamplingParams(max_tokens=12, ignore_eot=True)
    written = {search(prompt_of(5), params, ContrastiveParams(alpha=alpha)).tokens for alpha in (0, 0.6, 1.0)}
    assert len(written) > 1


def test_stops_end_it():
    free = search(prompt_of(5), SamplingParams(max_tokens=8, ignore_eot=True), ContrastiveParams())
    stopped = search(prompt_of(5), SamplingParams(max_tokens=8, stop_tokens=free.tokens[3]), ContrastiveParams())
    at = free.tokens.index(free.tokens[3])
    assert stopped.tokens == free.tokens[: at + 1]
    assert stopped.finish_reason == "stop"


def test_more_candidates_than_the_vocabulary_has_are_all_of_them():
    model, params = tiny_model(3, vocab_size=5), SamplingParams(max_tokens=6)
    many, all_five = (search([1, 2], params, ContrastiveParams(top_k=k), model) for k in (100, 5))
    assert many == all_five


def test_banned_tokens_are_no_candidates():
    model = tiny_model(3, vocab_size=5)
    made = search([1, 2], SamplingParams(max_tokens=6, banned_tokens=(0, 1, 2)), ContrastiveParams(top_k=5), model)
    assert set(made.tokens) <= {3, 4}
    with pytest.raises(GenerationError, match="every token is forbidden"):
        search([1, 2], SamplingParams(banned_tokens=range(5)), ContrastiveParams(), model)


def test_nothing_is_drawn_so_no_seed_is_reported():
    made = contrastive_search(MODEL, TOKENIZER, [1, 2], SamplingParams(max_tokens=2, seed=5), ContrastiveParams())
    assert made.seed is None
    assert made.prompt_tokens == (1, 2)


def test_likeliest_leaves_out_the_impossible():
    probs, tokens = likeliest(torch.tensor([0.0, -torch.inf, 1.0]), 3)
    assert tokens.tolist() == [2, 0]
    assert probs.sum() == pytest.approx(1)


def test_scores_of_a_worked_example():
    states = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    context = torch.tensor([[3.0, 0.0], [-1.0, 0.0]])
    # The first candidate repeats the context exactly, the second is at right angles to it.
    torch.testing.assert_close(scores(torch.tensor([0.9, 0.1]), states, context, 0.6), torch.tensor([-0.24, 0.04]))


def test_ids_beyond_the_tokenizer_are_never_chosen():
    made = search(
        prompt_of(3), SamplingParams(max_tokens=10), ContrastiveParams(top_k=8), tiny_model(12, vocab_size=600)
    )
    assert all(token < TOKENIZER.n_vocab for token in made.tokens)
