"""Traces: against a forward from scratch, against transformers, and whole again from a file."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.testing import assert_close

import numpy_gpt2
from cutaway.errors import CheckpointError, InspectionError
from cutaway.inspect import Edit, Trace, all_names, edited, trace
from cutaway.language_model import LanguageModel
from cutaway.model import attention_pattern
from tiny import TOKENIZER, prompt_of, tiny_model, twins

GPT2 = tiny_model()
NAMED = LanguageModel(GPT2, TOKENIZER, "tiny")
PROMPT = prompt_of(11)


def same(one, other):
    kept = one.activations
    return one.names == other.names and all(torch.equal(kept[name], other.activations[name]) for name in kept)


# What it holds


@given(st.integers(1, 32), st.integers(1, 3), st.sampled_from([(1, 4), (3, 12), (4, 8)]), st.booleans())
@settings(max_examples=10)
def test_every_activation_equals_that_of_a_forward_from_scratch(T, n_layer, heads, tied):
    shape = {"n_layer": n_layer, "n_head": heads[0], "n_embd": heads[1], "tie_word_embeddings": tied}
    model, ids = tiny_model(**shape), prompt_of(T)
    expected = numpy_gpt2.forward(model, ids)
    traced = trace(model, ids)
    assert traced.names == all_names(n_layer)
    assert set(expected) == set(traced)
    for name, x in traced.activations.items():
        assert_close(x.numpy(), expected[name], rtol=0, atol=1e-10, msg=name)
    for layer in range(n_layer):
        assert_close(traced[f"h.{layer}.pattern"].numpy(), expected[f"h.{layer}.pattern"], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@torch.no_grad()
def test_hidden_states_and_patterns_equal_those_of_transformers(dtype, tolerance):
    model, peer = twins(dtype=dtype)
    expected = peer(torch.tensor([PROMPT]), output_hidden_states=True, output_attentions=True)
    traced = trace(model, PROMPT, ["resid_pre", "ln_f", "pattern", "logits"])
    for layer in range(2):
        assert_close(traced[f"h.{layer}.resid_pre"], expected.hidden_states[layer][0], rtol=0, atol=tolerance)
        assert_close(traced[f"h.{layer}.pattern"], expected.attentions[layer][0], rtol=0, atol=tolerance)
    assert_close(traced["ln_f"], expected.hidden_states[2][0], rtol=0, atol=tolerance)
    assert_close(traced["logits"], expected.logits[0], rtol=0, atol=tolerance)


@torch.no_grad()
def test_tracing_leaves_the_forward_as_it_is_bit_for_bit():
    assert torch.equal(trace(GPT2, PROMPT)["logits"], GPT2(torch.tensor([PROMPT]))[0][0])


@given(st.sets(st.sampled_from(all_names(2))))
def test_only_what_was_asked_for_is_kept(names):
    traced = trace(GPT2, PROMPT, sorted(names))
    sources = {name.replace("pattern", point) for name in names if "pattern" in name for point in "qk"}
    assert set(traced.activations) == {name for name in names if "pattern" not in name} | sources
    assert names <= set(traced.names)
    assert same(traced, trace(GPT2, PROMPT, traced.names))


def test_memory_is_that_of_the_numbers_and_no_more():
    traced = trace(GPT2, PROMPT, "q")
    # float64: (H, T, D) a layer, and not the k and v that were computed in one piece with it
    assert traced.memory_bytes == 2 * 11 * 24 * 8
    assert sum(x.untyped_storage().nbytes() for x in traced.activations.values()) == traced.memory_bytes


@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_the_end_of_a_layer_and_the_beginning_of_the_next_share_memory(dtype):
    traced = trace(GPT2, PROMPT, ["resid_pre", "resid_post"], dtype=dtype)
    assert traced["h.0.resid_post"] is traced["h.1.resid_pre"]
    assert traced.memory_bytes == 3 * 11 * 24 * (8 if dtype is None else 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_dtype_rounds_every_activation_once(dtype):
    whole, rounded = trace(GPT2, PROMPT), trace(GPT2, PROMPT, dtype=dtype)
    for name in rounded.activations:
        assert torch.equal(rounded[name], whole[name].to(dtype))
    assert rounded["h.1.pattern"].dtype == dtype
    tolerance = {torch.float32: 1e-5, torch.float16: 5e-3, torch.bfloat16: 5e-2}[dtype]
    assert_close(rounded["h.1.pattern"].double(), whole["h.1.pattern"], rtol=0, atol=tolerance)


def test_a_pattern_is_that_of_its_q_and_k():
    traced = trace(GPT2, PROMPT, ["q", "k"])
    assert torch.equal(traced["h.1.pattern"], attention_pattern(traced["h.1.q"], traced["h.1.k"]))
    assert "h.1.pattern" not in traced.activations


@pytest.mark.parametrize("names", [None, "pattern", ["q", "k"]])
def test_of_an_edited_pattern_the_edited_one_is_traced(names):
    backwards = Edit(name="h.1.pattern", change=lambda x, positions: x.flip(-1))
    traced = trace(edited(GPT2, [backwards]), PROMPT, names)
    plain = trace(GPT2, PROMPT)
    assert_close(traced["h.1.pattern"], plain["h.1.pattern"].flip(-1), rtol=0, atol=1e-12)
    assert torch.equal(traced["h.0.pattern"], plain["h.0.pattern"])


def test_what_is_traced_can_go_into_computations_with_gradients():
    direction = torch.ones(24, dtype=torch.float64, requires_grad=True)
    (trace(GPT2, PROMPT)["h.0.resid_post"] @ direction).sum().backward()
    assert direction.grad is not None


# Looked up


def test_the_model_and_its_text_come_along():
    traced = NAMED.trace("the fox", "embed")
    assert list(traced.ids) == TOKENIZER.encode("the fox")
    assert list(traced.pieces) == TOKENIZER.pieces(traced.ids)
    assert (traced.model, traced.start, traced.n_layer) == ("tiny", 0, 2)


def test_layers_stack():
    traced = trace(GPT2, PROMPT)
    assert torch.equal(traced.stack("z")[1], traced["h.1.z"])
    assert traced.stack("pattern").shape == (2, 3, 11, 11)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("h.1.resid_pre", {"token": 11, "channel": 24}),
        ("h.0.q", {"head": 3, "token": 11, "channel": 8}),
        ("h.0.pattern", {"head": 3, "query": 11, "key": 11}),
        ("h.0.mlp_post", {"token": 11, "neuron": 96}),
        ("logits", {"token": 11, "vocabulary": 272}),
    ],
)
def test_an_activation_knows_its_axes(name, axes):
    traced = trace(NAMED, PROMPT)
    found = traced.labelled(name)
    assert {axis.name: len(axis) for axis in found.axes} == axes
    assert np.array_equal(found.values, traced[name].numpy())
    assert all(axis.labels == traced.pieces for axis in found.axes if axis.name in ("token", "query", "key"))
    assert found.title == name


def test_bfloat16_has_labels_too():
    assert trace(GPT2, PROMPT, "embed", dtype=torch.bfloat16).labelled("embed").values.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("h.1.resid_pree", "there is no activation 'h.1.resid_pree'; did you mean 'h.1.resid_pre'?"),
        ("h.1.v", "'h.1.v' was not traced; trace again with names='h.1.v' among the names"),
        ("h.1.pattern", "'h.1.pattern' was not traced; trace again with names='h.1.pattern' among the names"),
    ],
)
def test_what_is_not_there_is_refused(name, sentence):
    traced = trace(GPT2, PROMPT, ["q", "embed"])
    assert name not in traced
    with pytest.raises(InspectionError) as refused:
        traced[name]
    assert str(refused.value) == sentence


def test_a_text_longer_than_the_context_is_refused():
    with pytest.raises(InspectionError, match="33 tokens do not fit a context of 32; shorten the text"):
        trace(GPT2, prompt_of(33))


# Saved


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float16, torch.bfloat16])
def test_a_saved_trace_comes_back_bit_for_bit(tmp_path, dtype):
    traced = trace(NAMED, "the little fox", dtype=dtype)
    traced.save(tmp_path / "fox.safetensors")
    loaded = Trace.load(tmp_path / "fox.safetensors")
    assert same(traced, loaded)
    assert (loaded.ids, loaded.pieces, loaded.model, loaded.start) == (traced.ids, traced.pieces, "tiny", 0)
    assert [file.name for file in tmp_path.iterdir()] == ["fox.safetensors"]


def test_a_trace_that_cannot_be_saved_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    trace(GPT2, PROMPT, "embed").save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cutaway.atomic_file.os.fsync", full)
    with pytest.raises(InspectionError, match=r"cannot be saved to .*t\.safetensors: No space left on device"):
        trace(GPT2, PROMPT, "ln_f").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InspectionError, match="the trace cannot be saved to"):
        trace(GPT2, PROMPT, "embed").save(tmp_path / "nowhere" / "t.safetensors")


def test_another_file_is_no_trace(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(InspectionError, match=r"holds no trace; save one with trace\.save"):
        Trace.load(tmp_path / "x.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors", metadata={"text": "[]", "model": ""})
    with pytest.raises(InspectionError, match="holds no trace"):
        Trace.load(tmp_path / "x.safetensors")


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "t.safetensors"
    trace(GPT2, PROMPT, "embed").save(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="truncated"):
        Trace.load(path)
