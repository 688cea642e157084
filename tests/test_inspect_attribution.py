"""Direct logit attribution: the parts are what the network wrote, and sum to the logit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import InspectionError
from cutaway.inspect import ablate_heads, attribute, block_attention, edited, scale, trace
from cutaway.language_model import LanguageModel
from tiny import TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()
PROMPT = prompt_of(10)


@torch.no_grad()
def logit(model, position, token, against=None):
    logits = model(torch.tensor([PROMPT]))[0][0, position]
    return (logits[token] - (0 if against is None else logits[against])).item()


@torch.no_grad()
def said_by(vector, state, token):
    """The logit that ln_f and the head make of a part of the stream, with the stream's own spread; no bias."""
    spread = (state.var(correction=0) + GPT2.ln_f.eps).sqrt()
    return (GPT2.lm_head.weight[token] @ (GPT2.ln_f.weight * (vector - vector.mean()) / spread)).item()


@given(st.integers(0, 9), st.integers(0, 271), st.none() | st.integers(0, 271), st.booleans())
@settings(max_examples=20)
def test_parts_sum_to_the_logit(position, token, against, tied):
    model = GPT2 if tied else tiny_model(tie_word_embeddings=False)
    found = attribute(model, PROMPT, token, against=against, position=position)
    assert found.parts.values.sum() == pytest.approx(logit(model, position, token, against), abs=1e-10)
    assert found.logit == pytest.approx(logit(model, position, token, against), abs=1e-10)
    assert abs(found.gap) < 1e-10


@pytest.mark.parametrize("seed", range(5))
def test_in_float32_they_sum_to_float32_rounding(seed):
    model = tiny_model(seed, dtype=torch.float32)
    found = attribute(model, PROMPT)
    size = abs(found.parts.values).sum()
    assert abs(found.gap) < 4 * np.finfo(np.float32).eps * size


def test_every_part_is_what_the_network_wrote_there():
    found, seen = attribute(GPT2, PROMPT, 5, position=7), trace(GPT2, PROMPT)
    state = seen["h.1.resid_post"][7]
    for name in ("embed", "pos_embed"):
        assert found.parts.at(part=name).item() == pytest.approx(said_by(seen[name][7], state, 5), abs=1e-10)
    for layer in range(2):
        weight, bias = GPT2.h[layer].attn.c_proj.weight, GPT2.h[layer].attn.c_proj.bias
        for head in range(3):
            wrote = weight[:, head * 8 : (head + 1) * 8] @ seen[f"h.{layer}.z"][head, 7]
            expected = said_by(wrote.detach(), state, 5)
            assert found.heads.at(layer=layer, head=head).item() == pytest.approx(expected, abs=1e-10)
        parts = {name: found.parts.at(part=f"h.{layer}.{name}").item() for name in ("heads", "mlp", "mlp.bias")}
        assert parts["heads"] == pytest.approx(found.heads.values[layer].sum())
        assert found.parts.at(part=f"h.{layer}.attn.bias").item() == pytest.approx(said_by(bias.detach(), state, 5))
        mlp = said_by(seen[f"h.{layer}.mlp_out"][7], state, 5)
        assert parts["mlp"] + parts["mlp.bias"] == pytest.approx(mlp, abs=1e-10)
        assert parts["mlp"] == pytest.approx(found.neurons.values[layer].sum())


def test_a_neuron_is_its_column_times_its_activation():
    found, seen = attribute(GPT2, PROMPT, 5), trace(GPT2, PROMPT)
    wrote = GPT2.h[1].mlp.c_proj.weight[:, 17].detach() * seen["h.1.mlp_post"][9, 17]
    expected = said_by(wrote, seen["h.1.resid_post"][9], 5)
    assert found.neurons.at(layer=1, neuron=17).item() == pytest.approx(expected, abs=1e-10)


def test_what_heads_gathered_comes_from_their_sources():
    found = attribute(GPT2, PROMPT, 5, position=6)
    assert found.sources.values.shape == (2, 3, 7)
    assert found.sources.values.sum(-1) == pytest.approx(found.heads.values, abs=1e-10)
    assert found.tokens.values == pytest.approx(found.sources.values.sum((0, 1)))
    assert found.tokens.axes[0].labels == found.sources.axes[2].labels


def test_a_source_is_lost_when_it_is_hidden_from_the_last_layer():
    plain = attribute(GPT2, PROMPT, 5)
    hidden = attribute(edited(GPT2, [block_attention(1, queries=9, keys=3)]), PROMPT, 5)
    assert abs(hidden.sources.values[1, :, 3]).max() == 0
    assert abs(plain.sources.values[1, :, 3]).max() > 0
    assert abs(hidden.gap) < 1e-10


def test_a_silenced_head_says_nothing_and_the_rest_still_sums():
    found = attribute(edited(GPT2, [ablate_heads(0, 2)]), PROMPT, 5)
    assert found.heads.at(layer=0, head=2).item() == 0
    assert abs(found.gap) < 1e-10


def test_what_an_edit_adds_beyond_the_parts_is_the_gap():
    found = attribute(edited(GPT2, [scale("h.1.mlp_out", 3)]), PROMPT, 5)
    mlp = found.parts.at(part="h.1.mlp").item() + found.parts.at(part="h.1.mlp.bias").item()
    assert found.gap == pytest.approx(2 * mlp)


def test_the_most_likely_token_is_taken_apart_by_default():
    found = attribute(LanguageModel(GPT2, TOKENIZER), PROMPT)
    with torch.no_grad():
        best = GPT2(torch.tensor([PROMPT]))[0][0, -1].argmax().item()
    assert (found.token, found.against, found.position) == (TOKENIZER.piece(best), None, 9)
    assert found.parts.title == f"Logit of {TOKENIZER.piece(best)!r}"


def test_a_difference_is_named():
    found = attribute(LanguageModel(GPT2, TOKENIZER), "the fox", "a", against="b")
    assert found.parts.title == "Logit of 'a' over 'b'"


def test_what_is_not_there_is_refused():
    with pytest.raises(InspectionError, match="there is no position 10 in a text of 10 tokens"):
        attribute(GPT2, PROMPT, position=10)
    with pytest.raises(InspectionError, match="there is no token 300"):
        attribute(GPT2, PROMPT, 300)
