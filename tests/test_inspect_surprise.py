"""Surprise: the scores of `cutaway.generate.score`, and what was expected."""

import numpy as np
import pytest
import torch

from cutaway.generate import score
from cutaway.inspect import surprise
from cutaway.language_model import LanguageModel
from tiny import TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()


@pytest.mark.parametrize("length", [1, 2, 32, 100])
def test_bits_and_ranks_are_those_of_the_scores(length):
    ids = prompt_of(length)
    found, scores = surprise(GPT2, ids), score(GPT2, TOKENIZER, ids)
    bits = np.array([np.nan if entry.surprise_bits is None else entry.surprise_bits for entry in scores])
    rank = np.array([np.nan if entry.rank is None else entry.rank for entry in scores])
    assert found.bits.values == pytest.approx(bits, nan_ok=True)
    assert found.rank.values == pytest.approx(rank, nan_ok=True)


@torch.no_grad()
def test_what_was_expected_is_the_entropy_before_the_token():
    ids = prompt_of(12)
    logprobs = GPT2(torch.tensor([ids]))[0][0].log_softmax(-1)
    entropy = -(logprobs.exp() * logprobs).sum(-1) / np.log(2)
    assert surprise(GPT2, ids).expected.values[1:] == pytest.approx(entropy[:-1].numpy())


def test_the_mean_leaves_out_the_first():
    found = surprise(GPT2, prompt_of(9))
    assert found.mean_bits == pytest.approx(np.mean(found.bits.values[1:]))
    assert np.isnan(surprise(GPT2, prompt_of(1)).mean_bits)


def test_a_text_is_labelled_by_its_tokens():
    found = surprise(LanguageModel(GPT2, TOKENIZER), "the fox")
    assert found.bits.axes[0].labels == tuple(TOKENIZER.pieces(TOKENIZER.encode("the fox")))
    assert found.bits.to_rows()[0]["value"] is None
