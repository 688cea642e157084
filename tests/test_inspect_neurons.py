"""Neurons: what they promote, and where they are active."""

import numpy as np
import pytest
import torch

from cutaway.errors import InspectionError
from cutaway.inspect import Edit, edited, neuron_activations, neuron_effect, top_activations, trace
from cutaway.language_model import LanguageModel
from tiny import STORY, TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()
GPT = LanguageModel(GPT2, TOKENIZER)
PROMPTS = [prompt_of(n, seed=n) for n in (5, 30, 12)]


@torch.no_grad()
def test_the_effect_is_what_one_more_of_the_neuron_adds_to_the_logits_if_the_spread_stays():
    """In the last layer, whose output nothing but ln_f follows, measured by a tiny push."""
    step, spread = 1e-6, trace(GPT2, [3])["h.1.resid_post"].std(correction=0)

    def push(x, positions):
        return x + step

    pushed = edited(GPT2, [Edit(name="h.1.mlp_post", change=push, channels=(17,))])
    # ln_f holds its spread if the push is at right angles to the stream; take away what is not.
    state = trace(GPT2, [3])["h.1.resid_post"][0]
    moved = trace(pushed, [3])["h.1.resid_post"][0] - state
    moved, state = moved - moved.mean(), state - state.mean()
    across = (moved - state * (moved @ state) / (state @ state)) / step
    slope = (trace(pushed, [3])["logits"][0] - trace(GPT2, [3])["logits"][0]) / step
    assert torch.allclose(slope, GPT2.lm_head(GPT2.ln_f.weight * across / spread), atol=1e-4)
    found = neuron_effect(GPT, 1, 17, top=272)
    whole = GPT2.lm_head(GPT2.ln_f.weight * moved / step)
    assert found.promoted.values == pytest.approx(whole.sort(descending=True).values.numpy(), abs=1e-4)


def test_promoted_and_suppressed_are_the_two_ends():
    found = neuron_effect(GPT, 0, 3, top=5)
    everything = neuron_effect(GPT, 0, 3, top=1000).promoted
    assert len(everything.axes[0]) == 272
    assert found.promoted.values.tolist() == everything.values[:5].tolist()
    assert found.suppressed.values.tolist() == everything.values[:-6:-1].tolist()
    assert found.suppressed.axes[0].labels == everything.axes[0].labels[:-6:-1]
    assert set(everything.axes[0].labels) <= set(TOKENIZER.pieces(range(272)))


def test_activations_are_those_of_the_trace():
    found = neuron_activations(GPT, "the fox", 1)
    assert np.allclose(found.values, GPT.trace("the fox")["h.1.mlp_post"].numpy())
    assert [axis.name for axis in found.axes] == ["token", "neuron"]


@pytest.mark.parametrize("top", [1, 4, 100])
def test_the_top_activations_are_the_largest_of_all(top):
    found = top_activations(GPT2, iter(PROMPTS), 0, 7, top=top)
    everywhere = [
        (-value, text, position)
        for text, prompt in enumerate(PROMPTS)
        for position, value in enumerate(trace(GPT2, prompt)["h.0.mlp_post"][:, 7].tolist())
    ]
    expected = [(text, position, -value) for value, text, position in sorted(everywhere)[:top]]
    assert [(place.text, place.position) for place in found] == [place[:2] for place in expected]
    assert [place.value for place in found] == pytest.approx([place[2] for place in expected])


def test_a_place_shows_its_token_and_what_came_before():
    (best,) = top_activations(GPT, [STORY[:30]], 1, 2, top=1)
    pieces = TOKENIZER.pieces(TOKENIZER.encode(STORY[:30]))
    assert best.token == pieces[best.position]
    assert list(best.before) == pieces[max(0, best.position - 5) : best.position]


def test_of_equals_the_earlier_is_better():
    constant = edited(GPT2, [Edit(name="h.0.mlp_post", change=lambda x, positions: torch.ones_like(x))])
    found = top_activations(constant, PROMPTS, 0, 7, top=7)
    assert [(place.text, place.position) for place in found] == [(0, n) for n in range(5)] + [(1, 0), (1, 1)]


@pytest.mark.parametrize("call", [neuron_effect, lambda *where: top_activations(GPT2, PROMPTS, *where[1:])])
def test_what_is_not_there_is_refused(call):
    with pytest.raises(InspectionError, match="there is no layer 2; layers are 0 to 1"):
        call(GPT2, 2, 0)
    with pytest.raises(InspectionError, match="there is no neuron 96; the neurons of a layer are 0 to 95"):
        call(GPT2, 0, 96)
