import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from cutaway.anatomy import PRECISIONS, anatomy, num_parameters
from cutaway.cache import KVCache
from cutaway.config import GPTConfig
from cutaway.errors import ConfigError
from cutaway.model import GPT

SMALL = GPTConfig(block_size=7, vocab_size=97, n_layer=2, n_head=3, n_embd=12)


@st.composite
def small_configs(draw):
    heads = draw(st.integers(1, 3))
    return GPTConfig(
        block_size=draw(st.integers(1, 9)),
        vocab_size=draw(st.integers(1, 30)),
        n_layer=draw(st.integers(1, 3)),
        n_head=heads,
        n_embd=heads * draw(st.integers(1, 4)),
        n_inner=draw(st.none() | st.integers(1, 20)),
        tie_word_embeddings=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("distilgpt2", 81_912_576),
    ],
)
def test_published_models_have_the_published_number_of_parameters(name, parameters):
    report = anatomy(GPTConfig.preset(name))
    assert report.parameters == parameters
    assert sum(tensor.parameters for tensor in report.tensors) == parameters


@given(small_configs())
def test_the_report_lists_exactly_the_tensors_of_the_built_model(config):
    built = {name: tuple(parameter.shape) for name, parameter in GPT(config).named_parameters()}
    assert {tensor.name: tensor.shape for tensor in anatomy(config).tensors} == built


@given(small_configs())
def test_formula_report_and_model_count_the_same_parameters(config):
    assert num_parameters(config) == sum(tensor.parameters for tensor in anatomy(config).tensors)
    assert num_parameters(config) == GPT(config).num_parameters()


def test_tensors_come_in_the_order_of_the_network():
    names = [tensor.name for tensor in anatomy(SMALL).tensors]
    assert names == [name for name, _ in GPT(SMALL).named_parameters()]


def test_an_untied_head_is_listed_and_counted():
    report = anatomy(SMALL.replace(tie_word_embeddings=False))
    assert report.tensors[-1].name == "lm_head.weight"
    assert report.parameters == anatomy(SMALL).parameters + 97 * 12


def test_embeddings_are_the_tables_and_the_head():
    for config in (SMALL, SMALL.replace(tie_word_embeddings=False)):
        assert anatomy(config).non_embedding_parameters == anatomy(SMALL).parameters - (97 + 7) * 12


def test_124m_has_85_million_parameters_outside_its_embeddings():
    assert anatomy(GPTConfig()).non_embedding_parameters == 85_056_000


def test_flops_of_a_model_small_enough_to_count_by_hand():
    config = GPTConfig(block_size=8, vocab_size=10, n_layer=1, n_head=1, n_embd=2)
    report = anatomy(config, context=3)
    # c_attn 2×6, attn.c_proj 2×2, c_fc 2×8, mlp.c_proj 8×2, head 2×10
    assert report.multiplied_parameters == 12 + 4 + 16 + 16 + 20
    # and two channels of three keys and of three values, a multiplication and an addition each
    assert report.forward_flops_per_token == 2 * 68 + 2 * (2 * 3 + 2 * 3)


class PatternReader:
    """Asks for attention patterns, so that attention runs as plain products, which torch's counter knows."""

    def wants(self, name):
        return name.endswith(".pattern")

    def __call__(self, name, x):
        return x


def test_forward_flops_equal_those_that_torch_counts():
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        GPT(SMALL)(torch.zeros(1, 7, dtype=torch.long), observer=PatternReader())
    assert counter.get_total_flops() == 7 * anatomy(SMALL, context=7).forward_flops_per_token


@given(small_configs())
def test_training_costs_6n_and_12lct(config):
    report = anatomy(config)
    attention = 12 * config.n_layer * config.n_embd * config.block_size
    assert report.training_flops_per_token == 6 * report.multiplied_parameters + attention


def test_tying_the_head_saves_memory_and_no_arithmetic():
    tied, untied = anatomy(SMALL), anatomy(SMALL.replace(tie_word_embeddings=False))
    assert tied.forward_flops_per_token == untied.forward_flops_per_token
    assert tied.weight_bytes["fp32"] < untied.weight_bytes["fp32"]


def test_whole_precisions_take_their_width_a_number():
    report = anatomy(GPTConfig())
    assert report.weight_bytes["fp32"] == 4 * report.parameters
    assert report.weight_bytes["bf16"] == report.weight_bytes["fp16"] == 2 * report.parameters


def test_bytes_of_a_quantised_matrix_include_its_scales():
    # 5 outputs of 70 inputs: one scale a row for int8; 35 bytes and ceil(70 / 32) = 3 scales a row for int4
    config = GPTConfig(block_size=5, vocab_size=5, n_layer=1, n_head=1, n_embd=70)
    wpe = anatomy(config).tensors[1]
    assert wpe.shape == (5, 70)
    assert PRECISIONS["int8"].bytes_of(wpe) == 5 * (70 + 2)
    assert PRECISIONS["int4"].bytes_of(wpe) == 5 * (35 + 3 * 2)


@given(small_configs())
def test_a_quantised_model_is_never_counted_smaller_than_its_bits(config):
    report = anatomy(config)
    assert report.weight_bytes["int8"] >= report.parameters
    assert report.weight_bytes["int4"] * 2 >= report.parameters


def test_a_cached_token_takes_the_bytes_the_cache_takes():
    per_token = anatomy(SMALL).kv_bytes_per_token
    for name, dtype in {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}.items():
        assert KVCache(SMALL, batch_size=2, max_tokens=5, dtype=dtype).kv_bytes == 2 * 5 * per_token[name]


def test_the_report_is_ready_for_json():
    report = json.loads(json.dumps(anatomy(SMALL).to_dict()))
    assert report["tensors"][0] == {"name": "wte.weight", "shape": [97, 12], "parameters": 97 * 12}
    assert report["context"] == 7
    assert "activations" in report["not_counted"]
    assert report["weight_assumptions"].keys() == report["weight_bytes"].keys() == PRECISIONS.keys()


@pytest.mark.parametrize("context", [0, -1, 8])
def test_an_impossible_context_is_refused(context):
    with pytest.raises(ConfigError, match=f"context={context} is out of range; it must be from 1 to 7"):
        anatomy(SMALL, context)
