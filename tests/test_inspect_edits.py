"""Edits: each against the same change made by hand, with the cache as without, and refused where there is no place."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from cutaway.cache import KVCache
from cutaway.errors import InspectionError
from cutaway.inspect import (
    Edit,
    ablate_heads,
    ablate_neurons,
    all_names,
    block_attention,
    edited,
    mean_activations,
    patch,
    scale,
    steer,
    trace,
)
from cutaway.inspect.points import axes_of
from cutaway.language_model import LanguageModel
from tiny import TOKENIZER, prompt_of, tiny_model

GPT2 = tiny_model()
PROMPT, OTHER = prompt_of(12), prompt_of(12, seed=1)
IDX = torch.tensor([PROMPT])
EDITABLE = [name for name in all_names(2) if name != "logits"]
SIZES = {"channel": 24, "neuron": 96, "key": 12}


@torch.no_grad()
def logits(model, *edits, idx=IDX):
    return edited(model, edits)(idx)[0]


@pytest.fixture
def rewired():
    """A copy whose weights may be cut."""
    return copy.deepcopy(GPT2).requires_grad_(False)


@st.composite
def edits(draw):
    """Any edit anywhere: the activation is mirrored, scaled and shifted, but a pattern's future stays zero."""
    name = draw(st.sampled_from(EDITABLE))
    axes, shift = axes_of(name), 0 if "pattern" in name else 0.1
    factor = draw(st.sampled_from([-1.0, 0.0, 0.5, 3.0]))
    size = 8 if axes == ("head", "token", "channel") else SIZES[axes[-1]]

    def places(limit):
        return draw(st.none() | st.lists(st.integers(0, limit - 1), max_size=3).map(tuple))

    return Edit(
        name=name,
        change=lambda x, positions: factor * x + shift,
        heads=places(3) if axes[0] == "head" else None,
        channels=places(size),
        positions=places(12),
    )


# By hand


@pytest.mark.parametrize("head", range(3))
def test_ablating_a_head_equals_zeroing_its_slice_of_c_proj(rewired, head):
    rewired.h[1].attn.c_proj.weight[:, head * 8 : (head + 1) * 8] = 0
    assert_close(logits(GPT2, ablate_heads(1, head)), rewired(IDX)[0], rtol=0, atol=1e-12)


def test_ablating_several_heads_and_neurons_equals_cutting_their_wires(rewired):
    rewired.h[0].attn.c_proj.weight[:, 8:] = 0
    rewired.h[1].mlp.c_proj.weight[:, [3, 70]] = 0
    found = logits(GPT2, ablate_heads(0, [1, 2]), ablate_neurons(1, [3, 70]))
    assert_close(found, rewired(IDX)[0], rtol=0, atol=1e-12)


def test_all_heads_are_ablated_if_none_is_named(rewired):
    rewired.h[0].attn.c_proj.weight[:] = 0
    assert_close(logits(GPT2, ablate_heads(0, None)), rewired(IDX)[0], rtol=0, atol=1e-12)


def test_ablating_to_the_mean_puts_the_mean_there():
    means = mean_activations(GPT2, [PROMPT, OTHER])
    model = edited(GPT2, [ablate_heads(1, 2, to=means), ablate_neurons(0, 5, to=means, positions=[3, 4])])
    seen, plain = trace(model, PROMPT), trace(GPT2, PROMPT)
    assert_close(seen["h.1.z"][2], means["h.1.z"][2].expand(12, -1))
    assert_close(seen["h.0.mlp_post"][3:5, 5], means["h.0.mlp_post"][5].expand(2))
    assert torch.equal(seen["h.0.mlp_post"][5:, 5], plain["h.0.mlp_post"][5:, 5])


def test_scaling_equals_scaling_the_weights(rewired):
    rewired.h[0].attn.c_proj.weight[:, :8] *= 2.5
    rewired.h[1].mlp.c_proj.weight *= 0.5
    rewired.h[1].mlp.c_proj.bias *= 0.5
    found = logits(GPT2, scale("h.0.z", 2.5, heads=0), scale("h.1.mlp_out", 0.5))
    assert_close(found, rewired(IDX)[0], rtol=0, atol=1e-12)


def test_steering_equals_a_bias_in_the_layer_below(rewired):
    vector = torch.arange(24.0).double()
    rewired.h[0].mlp.c_proj.bias += 0.3 * vector
    assert_close(logits(GPT2, steer(1, vector, 0.3)), rewired(IDX)[0], rtol=0, atol=1e-12)


def test_blocked_keys_get_no_attention_and_the_others_get_theirs():
    seen = trace(edited(GPT2, [block_attention(1, queries=[5, 6], keys=[0, 4], heads=2)]), PROMPT)
    plain = trace(GPT2, PROMPT)["h.1.pattern"]
    pattern = seen["h.1.pattern"]
    assert not pattern[2, 5:7, [0, 4]].any()
    assert_close(pattern.sum(-1), torch.ones(3, 12, dtype=torch.float64))
    kept = plain[2, 5].clone()
    kept[[0, 4]] = 0
    assert_close(pattern[2, 5], kept / kept.sum(), rtol=0, atol=1e-12)
    elsewhere = torch.ones(3, 12, dtype=torch.bool)
    elsewhere[2, 5:7] = False
    assert_close(pattern[elsewhere], plain[elsewhere], rtol=0, atol=1e-12)


def test_a_query_that_may_look_nowhere_gathers_nothing():
    seen = trace(edited(GPT2, [block_attention(0, queries=2)]), PROMPT)
    assert not seen["h.0.z"][:, 2].any()
    assert seen["h.0.z"][:, 3].any()


# Patches


@pytest.mark.parametrize("name", EDITABLE)
def test_patching_a_run_with_itself_changes_nothing(name):
    plain = trace(GPT2, PROMPT)
    # Somebody who asks for a pattern has it formed, which rounds otherwise than fused attention.
    tolerance = 1e-12 if "pattern" in name else 0
    assert_close(logits(GPT2, patch(plain, name)), plain["logits"][None], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", EDITABLE)
@pytest.mark.parametrize("places", [{}, {"positions": [2, 7]}, {"channels": [1, 3], "positions": 11}])
def test_a_patch_puts_the_others_activation_there_and_nowhere_else(name, places):
    plain, other = trace(GPT2, PROMPT), trace(GPT2, OTHER)
    seen = trace(edited(GPT2, [patch(other, name, **places)]), PROMPT)
    expected = plain[name].clone()
    positions = torch.tensor([places.get("positions", list(range(12)))]).flatten()
    channels = torch.tensor(places.get("channels", list(range(expected.shape[-1]))))
    expected[..., positions[:, None], channels] = other[name][..., positions[:, None], channels]
    assert_close(seen[name], expected, rtol=0, atol=1e-12)


def test_a_patched_head_is_the_only_one():
    plain, other = trace(GPT2, PROMPT), trace(GPT2, OTHER)
    seen = trace(edited(GPT2, [patch(other, "h.0.z", heads=1)]), PROMPT)
    assert torch.equal(seen["h.0.z"][1], other["h.0.z"][1])
    assert torch.equal(seen["h.0.z"][[0, 2]], plain["h.0.z"][[0, 2]])


def test_the_whole_stream_patched_gives_the_others_logits():
    other = trace(GPT2, OTHER)
    assert torch.equal(logits(GPT2, patch(other, "h.1.resid_post")), other["logits"][None])


@pytest.mark.parametrize("name", ["h.0.resid_pre", "h.1.pattern", "h.1.z"])
def test_positions_that_a_shorter_source_lacks_stay_as_they_are(name):
    short, plain = trace(GPT2, OTHER[:5]), trace(GPT2, PROMPT)
    seen = trace(edited(GPT2, [patch(short, name)]), PROMPT)[name]
    width = short[name].shape[-1]
    assert_close(seen[..., :5, :width], short[name], rtol=0, atol=1e-12)
    assert_close(seen[..., 5:, :], plain[name][..., 5:, :], rtol=0, atol=1e-12)


# Composed, cached, generating


def test_edits_follow_each_other():
    both = [scale("embed", 2), Edit(name="embed", change=lambda x, positions: x + 1)]
    expected = 2 * trace(GPT2, PROMPT)["embed"] + 1
    assert torch.equal(trace(edited(GPT2, both), PROMPT)["embed"], expected)
    nested = edited(edited(GPT2, both[:1]), both[1:])
    assert torch.equal(trace(nested, PROMPT)["embed"], expected)


def test_without_edits_the_model_is_as_it_was():
    assert torch.equal(logits(GPT2), GPT2(IDX)[0])


def test_the_model_that_was_edited_is_unchanged():
    before = GPT2(IDX)[0]
    logits(GPT2, ablate_heads(0, None))
    assert torch.equal(GPT2(IDX)[0], before)


@given(st.lists(edits(), max_size=3), st.lists(st.integers(1, 6), min_size=1).filter(lambda sizes: sum(sizes) <= 12))
@settings(max_examples=60)
@torch.no_grad()
def test_with_a_cache_in_any_chunks_edits_do_the_same_as_without(chosen, sizes):
    model = edited(GPT2, chosen)
    cache = KVCache(GPT2.config, 1, 12, dtype=torch.float64)
    idx = IDX[:, : sum(sizes)]
    parts = [model(part, cache=cache)[0] for part in idx.split(sizes, dim=1)]
    assert_close(torch.cat(parts, dim=1), model(idx)[0], rtol=0, atol=1e-9)


def test_edits_act_in_every_step_of_a_generation():
    vector = torch.randn(24, generator=torch.Generator().manual_seed(3)).double()
    changes = [ablate_heads(0, 1), steer(1, vector, 2.0, positions=range(6, 20))]
    plain = LanguageModel(GPT2, TOKENIZER)
    made = plain.edited(*changes).generate(PROMPT, temperature=0, max_tokens=8, ignore_eot=True).samples[0].tokens
    read = list(PROMPT)
    for token in made:
        assert token == logits(GPT2, *changes, idx=torch.tensor([read]))[0, -1].argmax()
        read.append(token)
    assert made != plain.generate(PROMPT, temperature=0, max_tokens=8, ignore_eot=True).samples[0].tokens


def test_in_a_batch_of_unequal_prompts_each_is_edited_as_it_would_be_alone():
    gpt = LanguageModel(GPT2, TOKENIZER).edited(scale("h.0.mlp_out", -1, positions=[2, 5, 9]), ablate_heads(1, 0))
    prompts, options = [PROMPT[:n] for n in (3, 12, 7)], {"seed": 1, "max_tokens": 6, "n": 2}
    together = gpt.generate_batch(prompts, **options)
    alone = [gpt.generate(prompt, **options) for prompt in prompts]
    assert [[s.tokens for s in made.samples] for made in together] == [[s.tokens for s in a.samples] for a in alone]


def test_past_the_context_positions_are_those_of_the_window():
    long = prompt_of(40)
    gpt = LanguageModel(GPT2, TOKENIZER).edited(ablate_heads(0, None, positions=3))
    token = gpt.generate(long, temperature=0, max_tokens=1, past_context="slide").samples[0].tokens[0]
    window = torch.tensor([long[-32:]])
    assert token == logits(GPT2, ablate_heads(0, None, positions=3), idx=window)[0, -1].argmax()


# Refused


def same(x, positions):
    return x


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Edit(name="h.0.zz", change=same), "there is no point 'h.0.zz' to edit; did you mean 'h.0.z'?"),
        (Edit(name="logits", change=same), "logits cannot be edited, for generation never forms them all; edit 'ln_f'"),
        (ablate_heads(2, 0), "there is no point 'h.2.z' to edit; did you mean 'h.1.z'?"),
        (ablate_heads(0, 3), "there is no head 3 to edit; the model has 3, the first is 0"),
        (ablate_heads(0, -1), "there is no head -1 to edit; the model has 3, the first is 0"),
        (ablate_neurons(0, 96), "there is no neuron 96 to edit; the model has 96, the first is 0"),
        (
            Edit(name="h.0.z", change=same, channels=(8,)),
            "there is no channel 8 to edit; the model has 8, the first is 0",
        ),
        (scale("ln_f", 2, positions=32), "there is no position 32 to edit; the model has 32, the first is 0"),
        (block_attention(0, queries=40), "there is no position 40 to edit; the model has 32, the first is 0"),
        (scale("ln_f", 2, heads=0), "'ln_f' has no heads; edit the q, k, v, pattern or z of its layer"),
    ],
)
def test_an_edit_at_a_place_that_is_not_there_is_refused(edit, sentence):
    with pytest.raises(InspectionError) as refused:
        edited(GPT2, [edit])
    assert str(refused.value).startswith(sentence)


def test_a_key_below_zero_is_refused():
    with pytest.raises(InspectionError, match="there is no key -1; positions count from 0, for the text may grow"):
        block_attention(0, keys=[2, -1])


def test_a_mean_that_was_not_taken_is_refused():
    with pytest.raises(InspectionError, match=r"there is no mean of 'h\.1\.z' to ablate to; it has h\.0\.z"):
        ablate_heads(1, 0, to=mean_activations(GPT2, [PROMPT], "h.0.z"))


def test_a_vector_of_another_width_cannot_steer():
    with pytest.raises(InspectionError, match=r"a vector of shape \(3,\) cannot steer 24 channels"):
        logits(GPT2, steer(0, torch.ones(3)))


def test_an_activation_of_another_models_shape_cannot_be_patched_in():
    other = trace(tiny_model(n_head=2), PROMPT)
    with pytest.raises(InspectionError, match=r"of shape \(2, 12, 12\) cannot be patched into one of \(3, 12, 8\)"):
        logits(GPT2, patch(other, "h.0.z"))
