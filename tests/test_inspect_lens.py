"""The logit lens: against the hidden states of transformers, and against the definitions."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cutaway.errors import ConfigError, InspectionError
from cutaway.inspect import logit_lens
from cutaway.inspect.lens import read_out
from cutaway.language_model import LanguageModel
from tiny import TOKENIZER, prompt_of, twins

GPT2, PEER = twins(dtype=torch.float64, block_size=96)
PROMPT = prompt_of(90)


@pytest.fixture(scope="module")
def logprobs():
    """After every layer, from the peer's hidden states and our ln_f and head: the last is the peer's own.

    Shapes: (L + 1, T, V)
    """
    with torch.no_grad():
        seen = PEER(torch.tensor([PROMPT]), output_hidden_states=True)
        between = [PEER.lm_head(PEER.transformer.ln_f(state)) for state in seen.hidden_states[:-1]]
        return torch.cat([*between, seen.logits]).log_softmax(-1)


@pytest.fixture(scope="module")
def lens():
    return logit_lens(GPT2, PROMPT)


def test_what_is_likeliest_after_each_layer(lens, logprobs):
    probability, token = logprobs.exp().max(-1)
    assert np.array_equal(lens.tokens, token.numpy())
    assert_close(torch.tensor(lens.probability.values), probability, rtol=0, atol=1e-10)
    assert lens.pieces[1][4] == f"<{token[1, 4]}>"


def test_as_many_alternatives_as_are_asked_for(lens, logprobs):
    found = logit_lens(GPT2, PROMPT, top=4)
    best, token = logprobs.topk(4)
    for layer, line in enumerate(found.alternatives):
        for place, cell in enumerate(line):
            assert [piece for piece, _ in cell] == [f"<{t}>" for t in token[layer, place].tolist()]
            assert [share for _, share in cell] == pytest.approx(best[layer, place].exp().tolist(), abs=1e-10)
    assert np.array_equal(found.tokens, lens.tokens)
    assert all(len(cell) == 1 for line in lens.alternatives for cell in line)


def test_no_alternatives_at_all_are_too_few():
    with pytest.raises(ConfigError, match="top"):
        logit_lens(GPT2, PROMPT, top=0)


def test_the_log_probability_of_what_follows(lens, logprobs):
    expected = [[logprobs[layer, t, PROMPT[t + 1]].item() for t in range(89)] for layer in range(3)]
    assert lens.target.values[:, :-1] == pytest.approx(np.array(expected), abs=1e-10)
    assert np.isnan(lens.target.values[:, -1]).all()


def test_the_log_probability_of_a_token_in_question(logprobs):
    asked = logit_lens(GPT2, PROMPT, target=5).target
    assert asked.values == pytest.approx(logprobs[..., 5].numpy(), abs=1e-10)
    assert asked.title == "Log-probability of the token 5"


def test_entropy_and_distance_from_the_end(lens, logprobs):
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    kl = (logprobs[-1].exp() * (logprobs[-1] - logprobs)).sum(-1)
    assert lens.entropy.values == pytest.approx(entropy.numpy(), abs=1e-10)
    assert lens.kl.values == pytest.approx(kl.numpy(), abs=1e-10)
    assert abs(lens.kl.values[-1]).max() == 0


def test_layers_and_tokens_are_labelled(lens):
    assert lens.probability.axes[0].labels == ("h.0.resid_pre", "h.1.resid_pre", "h.1.resid_post")
    assert len(lens.probability.axes[1]) == 90


def test_a_row_tells_everything_of_its_place():
    small = logit_lens(LanguageModel(GPT2, TOKENIZER), "the fox")
    row = small.to_rows()[len(small.pieces[0]) + 1]
    assert (row["layer"], row["token_index"], row["token"]) == ("h.1.resid_pre", 1, small.target.axes[1].labels[1])
    assert row["prediction"] == small.pieces[1][1]
    for name in ("probability", "target", "entropy", "kl"):
        assert row[name] == pytest.approx(getattr(small, name).values[1, 1])


@torch.no_grad()
def test_logits_come_in_float32_at_least():
    assert read_out(GPT2, torch.zeros(24).double()).dtype == torch.float64
    half = twins(dtype=torch.bfloat16)[0]
    assert read_out(half, torch.zeros(24, dtype=torch.bfloat16)).dtype == torch.float32


def test_an_unknown_target_is_refused():
    with pytest.raises(InspectionError, match="there is no token 272"):
        logit_lens(GPT2, PROMPT, target=272)
