"""Grids of experiments: all at once as one by one, and each as the edit alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import ConfigError, InspectionError
from cutaway.inspect import (
    ablate_heads,
    ablation_grid,
    edited,
    effect_of_each,
    patch,
    patching_grid,
    scale,
    trace,
)
from cutaway.language_model import LanguageModel
from tiny import TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()
CLEAN = prompt_of(9)
CORRUPTED = [*CLEAN[:3], CLEAN[3] ^ 1, *CLEAN[4:]]
ANSWER, WRONG = 7, 11


@torch.no_grad()
def difference(model, ids):
    logits = model(torch.tensor([ids]))[0][0, -1]
    return (logits[ANSWER] - logits[WRONG]).item()


def grid(clean=CLEAN, corrupted=CORRUPTED, **options):
    return patching_grid(GPT2, clean, corrupted, answer=ANSWER, wrong=WRONG, **options)


@pytest.mark.parametrize(
    ("point", "over"),
    [("resid_pre", "position"), ("mlp_out", "position"), ("z", "position"), ("z", "head"), ("pattern", "head")],
)
def test_every_cell_is_the_metric_with_that_patch_alone(point, over):
    found = grid(point=point, over=over)
    seen = trace(GPT2, CLEAN)
    assert found.metric.values.shape == (2, 3 if over == "head" else 9)
    for layer in range(2):
        for place, value in enumerate(found.metric.values[layer]):
            where = {"heads": place} if over == "head" else {"positions": place}
            alone = edited(GPT2, [patch(seen, f"h.{layer}.{point}", **where)])
            assert value == pytest.approx(difference(alone, CORRUPTED), abs=1e-10)


@given(st.integers(1, 40))
@settings(max_examples=10)
def test_batches_of_any_size_give_the_same(batch):
    one_by_one, together = grid(batch=1), grid(batch=batch)
    assert together.metric.values == pytest.approx(one_by_one.metric.values, abs=1e-10)


def test_edits_of_every_point_meet_in_one_batch():
    names = ["embed", "pos_embed", "h.0.q", "h.0.pattern", "h.1.mlp_pre", "h.1.resid_post", "ln_f", "pos_embed"]
    edits = [scale(name, factor, positions=[2, 8]) for name, factor in zip(names, [2, 3, -1, 0.5] * 2, strict=True)]

    def metric(logits):
        return logits[:, ANSWER] - logits[:, WRONG]

    found = effect_of_each(GPT2, CLEAN, edits, metric, batch=8)
    assert found == pytest.approx([difference(edited(GPT2, [edit]), CLEAN) for edit in edits], abs=1e-10)


def test_patching_a_text_with_itself_changes_nothing():
    found = grid(corrupted=CLEAN)
    assert found.clean == pytest.approx(found.corrupted)
    assert abs(found.change.values).max() < 1e-10


def test_where_the_texts_differ_the_whole_effect_is_recovered_and_before_that_nothing():
    recovered = grid().recovered
    assert recovered.at(layer=0, position=3).item() == pytest.approx(1)
    assert abs(recovered.at(layer=1).values[:3]).max() < 1e-10
    assert grid().clean == pytest.approx(difference(GPT2, CLEAN))
    assert grid().corrupted == pytest.approx(difference(GPT2, CORRUPTED))


def test_without_a_wrong_answer_the_metric_is_the_log_probability():
    found = patching_grid(GPT2, CLEAN, CORRUPTED, answer=ANSWER)
    with torch.no_grad():
        logprobs = GPT2(torch.tensor([CLEAN]))[0][0, -1].log_softmax(-1)
    assert found.clean == pytest.approx(logprobs[ANSWER].item())
    assert found.metric.title == "Log-probability of '<7>'"


def test_ablating_each_head_in_turn():
    found = ablation_grid(GPT2, CLEAN, answer=ANSWER, wrong=WRONG)
    for layer in range(2):
        for head in range(3):
            alone = difference(edited(GPT2, [ablate_heads(layer, head)]), CLEAN)
            assert found.metric.at(layer=layer, head=head).item() == pytest.approx(alone, abs=1e-10)
    assert found.change.at(layer=1, head=2).item() == pytest.approx(found.metric.values[1, 2] - found.corrupted)
    with pytest.raises(InspectionError, match="so there is nothing to recover"):
        _ = found.recovered


def test_an_edited_model_is_patched_with_its_edits():
    model = edited(GPT2, [ablate_heads(0, 1)])
    found = ablation_grid(model, CLEAN, answer=ANSWER, wrong=WRONG)
    assert found.corrupted == pytest.approx(difference(model, CLEAN))
    assert found.change.at(layer=0, head=1).item() == pytest.approx(0, abs=1e-10)


def test_progress_is_told_after_each_batch():
    told = []
    grid(batch=7, progress=lambda done, total: told.append((done, total)))
    assert told == [(7, 18), (14, 18), (18, 18)]


def test_tokens_and_positions_are_labelled():
    gpt = LanguageModel(GPT2, TOKENIZER)
    found = patching_grid(gpt, "the owl", "the fox", answer="a", wrong="b")
    assert found.metric.title == "Logit of 'a' over 'b'"
    assert found.metric.axis("position").labels == tuple(TOKENIZER.pieces(TOKENIZER.encode("the fox")))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"clean": CLEAN[1:]}, InspectionError, "the texts have 8 and 9 tokens; patching needs as many in both"),
        ({"point": "resid_prr"}, InspectionError, "there is no point 'resid_prr' in a layer; did you mean 'resid_pre'"),
        ({"over": "head"}, InspectionError, "'resid_pre' has no heads; patch q, k, v, pattern or z"),
        ({"batch": 0}, ConfigError, "batch=0 is out of range"),
    ],
)
def test_what_cannot_be_patched_is_refused(options, error, sentence):
    with pytest.raises(error, match=sentence):
        grid(**options)


def test_an_edit_that_has_no_place_is_refused():
    with pytest.raises(InspectionError, match="there is no head 5 to edit"):
        effect_of_each(GPT2, CLEAN, [ablate_heads(0, 5)], lambda logits: logits[:, 0])
