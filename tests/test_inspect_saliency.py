"""Saliency: against finite differences, and complete along the whole way."""

import numpy as np
import pytest
import torch

from cutaway.errors import ConfigError, InspectionError
from cutaway.inspect import Edit, edited, gradient_times_input, integrated_gradients
from cutaway.language_model import LanguageModel
from tiny import TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()
PROMPT = prompt_of(9)


@torch.no_grad()
def logprob(factors, token=5):
    """Of the token after the prompt, with each token embedding times a factor."""
    scaled = Edit(name="embed", change=lambda x, positions: x * torch.tensor(factors).double()[:, None])
    return edited(GPT2, [scaled])(torch.tensor([PROMPT]))[0][0, -1].log_softmax(-1)[token].item()


def test_gradient_times_input_is_the_slope_of_scaling_an_embedding():
    found = gradient_times_input(GPT2, PROMPT, 5)
    for place in range(9):
        up, down = np.ones(9), np.ones(9)
        up[place], down[place] = 1 + 1e-5, 1 - 1e-5
        assert found.scores.values[place] == pytest.approx((logprob(up) - logprob(down)) / 2e-5, abs=1e-6)
    assert found.value == pytest.approx(logprob(np.ones(9)))
    assert (found.baseline, found.gap) == (None, None)


def test_integrated_gradients_sum_to_the_whole_effect():
    found = integrated_gradients(GPT2, PROMPT, 5, steps=256)
    assert found.baseline == pytest.approx(logprob(np.zeros(9)))
    assert found.value == pytest.approx(logprob(np.ones(9)))
    assert found.scores.values.sum() == pytest.approx(found.value - found.baseline, abs=1e-4)
    assert found.gap == pytest.approx(found.value - found.baseline - found.scores.values.sum())


def test_more_steps_close_the_gap():
    gaps = [abs(integrated_gradients(GPT2, PROMPT, 5, steps=steps).gap) for steps in (2, 16, 256)]
    assert gaps[0] > gaps[1] > gaps[2]


def test_one_step_is_the_gradient_half_way():
    half = integrated_gradients(GPT2, PROMPT, 5, steps=1)
    for place in (0, 8):
        up, down = np.full(9, 0.5), np.full(9, 0.5)
        up[place], down[place] = 0.5 + 1e-5, 0.5 - 1e-5
        assert half.scores.values[place] == pytest.approx((logprob(up) - logprob(down)) / 2e-5, abs=1e-6)


def test_the_most_likely_token_is_explained_by_default():
    gpt = LanguageModel(GPT2, TOKENIZER)
    with torch.no_grad():
        best = TOKENIZER.piece(GPT2(torch.tensor([PROMPT]))[0][0, -1].argmax().item())
    for found in (gradient_times_input(gpt, PROMPT), integrated_gradients(gpt, PROMPT, steps=2)):
        assert found.token == best
        assert found.scores.axes[0].labels == tuple(TOKENIZER.pieces(PROMPT))
        assert found.scores.diverging


def test_weights_get_no_gradients():
    integrated_gradients(GPT2, PROMPT, 5, steps=2)
    assert all(parameter.grad is None for parameter in GPT2.parameters())


def test_frozen_weights_are_no_hindrance():
    frozen = tiny_model().requires_grad_(False)
    assert gradient_times_input(frozen, PROMPT, 5).scores.values == pytest.approx(
        gradient_times_input(GPT2, PROMPT, 5).scores.values
    )


def test_what_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="steps=0 is out of range"):
        integrated_gradients(GPT2, PROMPT, steps=0)
    with pytest.raises(InspectionError, match="there is no token 272"):
        gradient_times_input(GPT2, PROMPT, 272)
