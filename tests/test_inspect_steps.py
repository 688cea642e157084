"""The forward pass by hand, against the model at every point, and against transformers at the end."""

import pytest
import torch
from torch.testing import assert_close

from cutaway.errors import InspectionError
from cutaway.inspect import all_names, steps, trace
from tiny import prompt_of, tiny_model, twins

GPT2, PEER = twins(dtype=torch.float64)
PROMPT = prompt_of(11)


@pytest.fixture(scope="module")
def found():
    return list(steps(GPT2, PROMPT))


def test_every_point_of_the_network_is_a_step_in_its_order(found):
    assert [step.name for step in found] == [*all_names(GPT2.config.n_layer), "probabilities"]


def test_each_step_is_what_the_model_computes(found):
    seen = trace(GPT2, PROMPT)
    for step in found[:-1]:
        assert_close(step.value, seen[step.name], rtol=1e-10, atol=1e-10)
        assert step.difference == (step.value - seen[step.name]).abs().max().item()
        assert step.shape == tuple(seen[step.name].shape)


def test_the_end_is_what_transformers_computes(found):
    with torch.no_grad():
        logits = PEER(torch.tensor([PROMPT])).logits[0]
    assert_close(found[-2].value, logits, rtol=1e-10, atol=1e-10)
    assert_close(found[-1].value, logits.softmax(-1), rtol=0, atol=1e-12)
    assert found[-1].difference is None


def test_a_difference_is_seen():
    """Edited, the model is no longer what its weights say."""
    from cutaway.inspect import ablate_heads, edited

    differences = {step.name: step.difference for step in steps(edited(GPT2, [ablate_heads(0, 1)]), PROMPT)}
    assert differences["h.0.pattern"] < 1e-12
    assert differences["h.0.z"] > 1e-3
    assert differences["logits"] > 1e-3


def test_a_head_of_its_own_is_used():
    model = tiny_model(tie_word_embeddings=False)
    last = list(steps(model, PROMPT))[-2]
    assert last.difference < 1e-10
    assert last.formula == "ln_f @ lm_head.T"


def test_a_step_tells_of_the_last_row(found):
    about = found[0].to_dict(3)
    assert about["first_of_last_row"] == found[0].value[-1, :3].tolist()
    assert (about["name"], about["shape"]) == ("embed", [11, 24])


def test_a_text_longer_than_the_context_is_refused():
    with pytest.raises(InspectionError, match="33 tokens do not fit a context of 32"):
        steps(GPT2, prompt_of(33))
