"""Side by side: two texts, two models, a model over its training."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cutaway.errors import InspectionError
from cutaway.inspect import (
    ablate_heads,
    along,
    compare_models,
    compare_prompts,
    detect_heads,
    edited,
    surprise,
    trace,
)
from cutaway.labelled import labelled
from cutaway.language_model import LanguageModel
from cutaway.tokenizer import CharTokenizer
from tiny import STORY, TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()
ONE = prompt_of(10)
OTHER = [*ONE[:4], ONE[4] ^ 1, *ONE[5:]]


def test_before_the_changed_word_there_is_no_difference_and_from_there_on_there_is():
    found = compare_prompts(GPT2, ONE, OTHER)
    for grid in (found.hidden, found.kl):
        assert abs(grid.values[:, :4]).max() < 1e-7
        assert (grid.values[1:, 4:] > 1e-7).all()
    assert abs(found.patterns.values[..., :4]).max() < 1e-7
    assert found.hidden.axes[1].labels[3:5] == (f"<{ONE[3]}>", f"<{ONE[4]}> | <{OTHER[4]}>")


def test_a_text_is_like_itself():
    found = compare_prompts(GPT2, ONE, ONE)
    assert not found.hidden.values.any()
    assert not found.patterns.values.any()
    assert abs(found.kl.values).max() < 1e-7
    assert np.array_equal(found.next_tokens.values[0], found.next_tokens.values[1])


@torch.no_grad()
def test_distances_are_what_they_say():
    found, one, other = compare_prompts(GPT2, ONE, OTHER), trace(GPT2, ONE), trace(GPT2, OTHER)
    x, y = one["h.1.resid_pre"], other["h.1.resid_pre"]
    apart = [((a - b) ** 2).sum().sqrt() / (a**2).sum().sqrt() for a, b in zip(x, y, strict=True)]
    assert found.hidden.at(layer="h.1.resid_pre").values == pytest.approx(np.array(apart), abs=1e-6)
    # Of two distributions, half the absolute difference is what must be moved: the gains alone.
    gained = (other["h.1.pattern"] - one["h.1.pattern"]).clamp(min=0).sum(-1)
    assert found.patterns.at(layer=1).values == pytest.approx(gained.numpy(), abs=1e-6)
    logprobs = [run["logits"].log_softmax(-1) for run in (one, other)]
    kl = [F.kl_div(q, p, log_target=True, reduction="sum") for p, q in zip(*logprobs, strict=True)]
    assert found.kl.values[-1] == pytest.approx(np.array(kl), abs=1e-5)


@torch.no_grad()
def test_the_next_tokens_are_the_likeliest_of_both():
    found = compare_prompts(LanguageModel(GPT2, TOKENIZER), ONE, OTHER, top=4).next_tokens
    probs = torch.stack([trace(GPT2, ids)["logits"][-1].softmax(-1) for ids in (ONE, OTHER)])
    best = probs.max(0).values.topk(4).indices
    assert list(found.axis("token").labels) == TOKENIZER.pieces(best.tolist())
    assert found.values == pytest.approx(probs[:, best].numpy())


def test_the_surprise_of_both_is_told():
    found = compare_prompts(GPT2, ONE, OTHER).surprise
    assert found.at(run="other").values == pytest.approx(surprise(GPT2, OTHER).bits.values, nan_ok=True)


def test_models_are_compared_on_one_text():
    changed = edited(GPT2, [ablate_heads(1, 0)])
    found = compare_models(GPT2, changed, ONE)
    assert not found.hidden.values[:2].any()
    assert (found.hidden.values[2] > 0).all()
    assert not found.patterns.values.any()
    assert (found.kl.values[2] > 0).all()


def test_kl_is_positive_and_depends_on_the_direction():
    other = tiny_model(1)
    there, back = compare_models(GPT2, other, ONE).kl.values, compare_models(other, GPT2, ONE).kl.values
    assert (there > 0).all()
    assert not np.allclose(there, back)


def test_a_measurement_follows_checkpoints():
    checkpoints = ((step, tiny_model(step)) for step in (0, 5))
    found = along(checkpoints, lambda model: detect_heads(model, length=4, rows=2).scores)
    assert [axis.name for axis in found.axes] == ["step", "kind", "layer", "head"]
    expected = detect_heads(tiny_model(5), length=4, rows=2).scores
    assert np.array_equal(found.at(step=5).values, expected.values)
    assert (found.title, found.unit, found.diverging) == (expected.title, expected.unit, expected.diverging)


def test_checkpoints_are_taken_one_at_a_time():
    taken, measured = [], []

    def models():
        for step in (1, 2):
            taken.append(step)
            yield step, GPT2

    def measure(model):
        measured.append(len(taken))
        return labelled("One", 1.0)

    along(models(), measure, axis="checkpoint")
    assert measured == [1, 2]


def test_what_does_not_compare_is_refused():
    with pytest.raises(InspectionError, match="the texts have 10 and 9 tokens; a comparison needs as many in both"):
        compare_prompts(GPT2, ONE, ONE[1:])
    with pytest.raises(InspectionError, match="the models differ in shape; compare models of one shape"):
        compare_models(GPT2, tiny_model(n_layer=1), ONE)
    characters = LanguageModel(GPT2, CharTokenizer.from_texts([STORY]))
    with pytest.raises(InspectionError, match="different tokens; compare models with the same tokenizer"):
        compare_models(LanguageModel(GPT2, TOKENIZER), characters, "the fox")
    with pytest.raises(InspectionError, match="there is no model to measure"):
        along([], lambda model: labelled("One", 1.0))
    lengths = iter([1, 2])
    with pytest.raises(InspectionError, match="of 1 does not fit"):
        along([(0, GPT2), (1, GPT2)], lambda model: labelled("Two", np.zeros(n := next(lengths)), token=n))
