"""Attention rollout, against the paper's formula on transformers' patterns."""

import numpy as np
import pytest
import torch

from cutaway.errors import InspectionError
from cutaway.inspect import rollout
from tiny import prompt_of, twins

GPT2, PEER = twins(dtype=torch.float64, n_layer=3)
PROMPT = prompt_of(8)


@pytest.mark.parametrize("residual", [0.0, 0.5, 0.8])
@torch.no_grad()
def test_patterns_are_mixed_with_the_stream_and_multiplied(residual):
    patterns = PEER(torch.tensor([PROMPT]), output_attentions=True).attentions
    expected = np.eye(8)
    found = rollout(GPT2, PROMPT, residual=residual)
    for layer, pattern in enumerate(patterns):
        expected = (residual * np.eye(8) + (1 - residual) * pattern[0].mean(0).numpy()) @ expected
        assert found.values[layer] == pytest.approx(expected, abs=1e-6)
    assert [axis.name for axis in found.axes] == ["layer", "query", "key"]


def test_what_arrives_is_shared_among_the_tokens():
    found = rollout(GPT2, PROMPT)
    assert found.values.sum(-1) == pytest.approx(np.ones((3, 8)), abs=1e-5)
    assert np.array_equal(found.values, np.tril(found.values))


def test_with_the_stream_alone_nothing_moves():
    assert np.array_equal(rollout(GPT2, PROMPT, residual=1).values[2], np.eye(8))


def test_a_share_is_from_0_to_1():
    with pytest.raises(InspectionError, match=r"residual=1\.5 must be a share from 0 to 1"):
        rollout(GPT2, PROMPT, residual=1.5)
