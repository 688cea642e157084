import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.config import MAX_BLOCK_SIZE, MAX_LAYERS, MAX_VOCAB_SIZE, MAX_WIDTH, PRESETS, GPTConfig, check_integer
from cutaway.errors import ConfigError


@st.composite
def configs(draw):
    heads = draw(st.integers(1, 16))
    return GPTConfig(
        block_size=draw(st.integers(1, MAX_BLOCK_SIZE)),
        vocab_size=draw(st.integers(1, MAX_VOCAB_SIZE)),
        n_layer=draw(st.integers(1, MAX_LAYERS)),
        n_head=heads,
        n_embd=heads * draw(st.integers(1, 256)),
        n_inner=draw(st.none() | st.integers(1, 4 * MAX_WIDTH)),
        dropout=draw(st.floats(0, 1, exclude_max=True)),
        layer_norm_epsilon=draw(st.floats(0, 1, exclude_min=True, exclude_max=True)),
        tie_word_embeddings=draw(st.booleans()),
    )


def test_the_defaults_are_the_124m_model():
    assert GPTConfig() == GPTConfig.preset("gpt2")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("gpt2", (12, 12, 768)),
        ("gpt2-medium", (24, 16, 1024)),
        ("gpt2-large", (36, 20, 1280)),
        ("gpt2-xl", (48, 25, 1600)),
        ("distilgpt2", (6, 12, 768)),
    ],
)
def test_presets_have_the_published_shapes(name, shape):
    config = GPTConfig.preset(name)
    assert (config.n_layer, config.n_head, config.n_embd) == shape
    assert (config.vocab_size, config.block_size, config.head_size) == (50257, 1024, 64)
    assert config.tie_word_embeddings


def test_an_unknown_preset_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"there is no preset 'gpt2-mediun'; did you mean 'gpt2-medium'\?"):
        GPTConfig.preset("gpt2-mediun")


def test_an_unknown_preset_far_from_any_lists_them():
    with pytest.raises(ConfigError, match=", ".join(PRESETS)):
        GPTConfig.preset("llama")


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GPTConfig().n_layer = 3  # type: ignore[misc]


def test_values_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        GPTConfig(1024)  # type: ignore[call-arg, misc]


@given(configs())
def test_a_configuration_survives_json(config):
    assert GPTConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@given(configs())
def test_derived_sizes_fit_together(config):
    assert config.head_size * config.n_head == config.n_embd
    assert config.mlp_size == (config.n_inner or 4 * config.n_embd)


@pytest.mark.parametrize("name", ["block_size", "vocab_size", "n_layer", "n_head", "n_embd", "n_inner"])
@pytest.mark.parametrize("value", [0, -1, 1 << 40, True, 2.0, "12"])
def test_an_impossible_size_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}="):
        GPTConfig(**{name: value})


@pytest.mark.parametrize("name", ["block_size", "vocab_size", "n_layer", "n_head", "n_embd"])
def test_a_missing_size_is_refused(name):
    with pytest.raises(ConfigError, match=rf"^{name}=None must be an integer from 1 to"):
        GPTConfig(**{name: None})


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan"), float("inf")])
def test_an_impossible_dropout_is_refused(dropout):
    with pytest.raises(ConfigError, match=f"dropout={dropout} is not a probability"):
        GPTConfig(dropout=dropout)


@pytest.mark.parametrize("epsilon", [0.0, -1e-5, 1.0, float("nan")])
def test_an_impossible_epsilon_is_refused(epsilon):
    with pytest.raises(ConfigError, match=f"layer_norm_epsilon={epsilon} must lie between"):
        GPTConfig(layer_norm_epsilon=epsilon)


def test_channels_must_divide_among_the_heads():
    with pytest.raises(ConfigError, match="n_embd=768 does not divide evenly among n_head=7 heads"):
        GPTConfig(n_head=7)


def test_replace_changes_only_what_is_named():
    config = GPTConfig().replace(n_layer=2)
    assert config == GPTConfig(n_layer=2)


@pytest.mark.parametrize("build", [GPTConfig().replace, lambda **values: GPTConfig.from_dict(values)])
def test_an_unknown_key_is_refused_with_the_nearest(build):
    with pytest.raises(ConfigError, match=r"GPTConfig has no key 'n_layers'; did you mean 'n_layer'\?"):
        build(n_layers=3)


def test_replace_checks_the_new_values():
    with pytest.raises(ConfigError, match="n_layer=0 is out of range"):
        GPTConfig().replace(n_layer=0)


@pytest.mark.parametrize("value", [1, 5, 10])
def test_an_integer_within_the_limits_passes(value):
    assert check_integer("n", value, 1, 10) is None


@pytest.mark.parametrize("value", [0, 11])
def test_an_integer_outside_the_limits_is_named(value):
    with pytest.raises(ConfigError, match=f"n={value} is out of range; it must be from 1 to 10"):
        check_integer("n", value, 1, 10)


@pytest.mark.parametrize("value", ["x", None, [1], float("nan")])
@pytest.mark.parametrize("name", ["dropout", "layer_norm_epsilon", "tie_word_embeddings"])
def test_a_value_of_the_wrong_kind_is_refused(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}="):
        GPTConfig(**{name: value})
