"""Mean activations."""

import pytest
import torch
from torch.testing import assert_close

from cutaway.errors import InspectionError
from cutaway.inspect import mean_activations, trace
from tiny import prompt_of, tiny_model

GPT2 = tiny_model()
PROMPTS = [prompt_of(n, seed=n) for n in (3, 12, 7)]


def test_the_mean_is_over_all_tokens_of_all_texts():
    found = mean_activations(GPT2, PROMPTS, ["z", "h.0.mlp_post", "ln_f"])
    traces = [trace(GPT2, prompt) for prompt in PROMPTS]
    assert list(found) == ["h.0.z", "h.0.mlp_post", "h.1.z", "ln_f"]
    for name, mean in found.items():
        assert_close(mean, torch.cat([traced[name] for traced in traces], dim=-2).mean(-2), rtol=0, atol=1e-12)
    assert found["h.1.z"].shape == (3, 8)


@pytest.mark.parametrize("prompts", [[], "the fox"])
def test_a_list_of_prompts_is_needed(prompts):
    with pytest.raises(InspectionError, match="a mean needs a list of at least one prompt"):
        mean_activations(GPT2, prompts)


def test_patterns_have_no_mean():
    with pytest.raises(InspectionError, match="patterns of different texts have no mean"):
        mean_activations(GPT2, PROMPTS, "pattern")
