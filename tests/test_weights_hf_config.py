import json

import pytest
import transformers

from cutaway.config import PRESETS, GPTConfig
from cutaway.errors import CheckpointError
from cutaway.weights.hf_config import hf_config, is_gpt2, read_config


@pytest.fixture
def write(tmp_path):
    def write_config(**values):
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"model_type": "gpt2"} | values))
        return file

    return write_config


@pytest.mark.parametrize("name", PRESETS)
def test_what_transformers_writes_for_a_published_shape_is_read_as_that_preset(name, tmp_path):
    transformers.GPT2Config(**PRESETS[name]).save_pretrained(tmp_path)
    assert read_config(tmp_path / "config.json") == GPTConfig.preset(name).replace(dropout=0.1)


@pytest.mark.parametrize(
    "config",
    [
        GPTConfig(dropout=0.25, layer_norm_epsilon=1e-6),
        GPTConfig(block_size=7, vocab_size=11, n_layer=1, n_head=3, n_embd=6, n_inner=5, tie_word_embeddings=False),
    ],
)
def test_what_we_write_is_read_back_the_same_by_us_and_by_transformers(config, write, tmp_path):
    written = hf_config(config, eot=None, dtype="float32")
    assert read_config(write(**written)) == config
    theirs = transformers.GPT2Config.from_pretrained(tmp_path)
    assert {key: getattr(theirs, key) for key in written if key not in ("dtype", "n_ctx")} == {
        key: value for key, value in written.items() if key not in ("dtype", "n_ctx")
    }


def test_values_that_are_not_there_are_those_of_the_smallest_gpt2(write):
    assert read_config(write()) == GPTConfig(dropout=0.1)


@pytest.mark.parametrize("name", ["gelu_new", "gelu_fast", "gelu_pytorch_tanh"])
def test_every_name_of_the_tanh_gelu_is_accepted_and_is_the_tanh_gelu(name, write):
    import torch

    assert read_config(write(activation_function=name))
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    torch.testing.assert_close(
        transformers.activations.ACT2FN[name](x), torch.nn.functional.gelu(x, approximate="tanh"), rtol=0, atol=1e-9
    )


def test_the_same_attention_computed_in_another_order_is_accepted(write):
    assert read_config(write(reorder_and_upcast_attn=True)) == GPTConfig(dropout=0.1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "llama"),
        ("model_type", None),
        ("activation_function", "gelu"),
        ("activation_function", ["gelu_new"]),
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("add_cross_attention", True),
        ("pruned_heads", {"0": [1]}),
        ("tie_word_embeddings", "yes"),
        ("n_layer", "12"),
        ("n_layer", 12.0),
        ("n_layer", 10**9),
        ("n_head", 0),
        ("n_head", 11),
        ("n_embd", -768),
        ("n_positions", None),
        ("n_inner", [3072]),
        ("vocab_size", True),
        ("resid_pdrop", "0.1"),
        ("layer_norm_epsilon", "tiny"),
        ("layer_norm_epsilon", float("nan")),
    ],
)
def test_what_is_not_a_gpt2_is_refused_naming_file_key_and_value(key, value, write):
    file = write(**{key: value})
    with pytest.raises(CheckpointError) as caught:
        read_config(file)
    assert str(file) in str(caught.value)
    assert (key if key != "n_positions" else "block_size") in str(caught.value)


def test_n_ctx_serves_where_there_is_no_n_positions(write):
    assert read_config(write(n_ctx=33)).block_size == 33


def test_n_ctx_and_n_positions_that_differ_are_pointed_out(write):
    with pytest.warns(UserWarning, match="n_ctx=1024 and n_positions=33 differ; n_positions is used"):
        assert read_config(write(n_ctx=1024, n_positions=33)).block_size == 33


def test_dropouts_that_differ_are_pointed_out(write):
    with pytest.warns(UserWarning, match=r"resid_pdrop=0.3 differ; 0.3 is used for all"):
        assert read_config(write(resid_pdrop=0.3)).dropout == 0.3


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000, b"{} " * 10_000_000]
)
def test_a_damaged_file_is_refused_by_name(content, tmp_path):
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_config(file)
    assert not is_gpt2(file)


def test_a_missing_file_is_named_with_what_it_is_for(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no .*config\.json; a model folder needs"):
        read_config(tmp_path / "config.json")
    assert not is_gpt2(tmp_path / "config.json")
