"""Hugging Face's `config.json` to `GPTConfig` and back. Only here are `n_ctx` and `n_positions` spoken."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError
from cutaway.weights.json_object import read_object

TANH_GELU = ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast")
"""Names of the tanh form of GELU. Plain "gelu" is the exact form, which makes another network."""

SAME_NAME = ("vocab_size", "n_layer", "n_head", "n_embd", "n_inner", "layer_norm_epsilon", "tie_word_embeddings")

# Each changes the computation; GPT-2 has these values, which are also what transformers assumes.
REQUIRED = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
}


def read_config(file: Path) -> GPTConfig:
    """The configuration in a checkpoint's `config.json`.

    Raises: CheckpointError when it is damaged, or describes another network than GPT-2.
    """
    values = read_object(file)
    _refuse_other_networks(values, file)
    ours = {name: values[name] for name in SAME_NAME if name in values}
    ours |= _block_size(values, file) | {"dropout": _dropout(values, file)}
    if type(ours.get("tie_word_embeddings", True)) is not bool:
        raise CheckpointError(f"{file}: tie_word_embeddings={ours['tie_word_embeddings']!r} must be true or false")
    _number(values, "layer_norm_epsilon", 1e-5, file)
    try:
        return GPTConfig(**ours)
    except ConfigError as error:
        raise CheckpointError(f"{file}: {error}") from None


def hf_config(config: GPTConfig, *, eot: int | None, dtype: str) -> dict[str, Any]:
    """All that `transformers` needs to build the same network; `eot` is the id of `<|endoftext|>`."""
    return {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": config.dropout,
        "bos_token_id": eot,
        "dtype": dtype,
        "embd_pdrop": config.dropout,
        "eos_token_id": eot,
        "initializer_range": 0.02,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "model_type": "gpt2",
        "n_ctx": config.block_size,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_inner": config.n_inner,
        "n_layer": config.n_layer,
        "n_positions": config.block_size,
        "reorder_and_upcast_attn": False,
        "resid_pdrop": config.dropout,
        **REQUIRED,
        "tie_word_embeddings": config.tie_word_embeddings,
        "use_cache": True,
        "vocab_size": config.vocab_size,
    }


def is_gpt2(file: Path) -> bool:
    """Whether the file is a `config.json` that names GPT-2."""
    try:
        return read_object(file).get("model_type") == "gpt2"
    except CheckpointError:
        return False


def _refuse_other_networks(values: Mapping[str, Any], file: Path) -> None:
    if values.get("model_type") != "gpt2":
        raise CheckpointError(
            f"{file}: model_type={values.get('model_type')!r} is not GPT-2; only 'gpt2' can be loaded"
        )
    activation = values.get("activation_function", "gelu_new")
    if activation not in TANH_GELU:
        raise CheckpointError(
            f"{file}: activation_function={activation!r} makes another network; GPT-2 has {TANH_GELU[0]!r}"
        )
    for key, required in REQUIRED.items():
        if (value := values.get(key, required)) is not required:
            raise CheckpointError(f"{file}: {key}={value!r} makes another network; GPT-2 has {required}")
    if values.get("pruned_heads"):
        raise CheckpointError(
            f"{file}: pruned_heads={values['pruned_heads']!r}; a GPT-2 with heads cut out cannot be loaded"
        )


def _block_size(values: Mapping[str, Any], file: Path) -> dict[str, Any]:
    if "n_positions" not in values:
        return {"block_size": values["n_ctx"]} if "n_ctx" in values else {}
    positions = values["n_positions"]
    if (context := values.get("n_ctx", positions)) != positions:
        warnings.warn(
            f"{file}: n_ctx={context!r} and n_positions={positions!r} differ; n_positions is used", stacklevel=3
        )
    return {"block_size": positions}


def _dropout(values: Mapping[str, Any], file: Path) -> float:
    embd, attn, resid = (_number(values, key, 0.1, file) for key in ("embd_pdrop", "attn_pdrop", "resid_pdrop"))
    if not embd == attn == resid:
        warnings.warn(
            f"{file}: embd_pdrop={embd}, attn_pdrop={attn} and resid_pdrop={resid} differ; {resid} is used for all",
            stacklevel=3,
        )
    return resid


def _number(values: Mapping[str, Any], key: str, default: float, file: Path) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"{file}: {key}={value!r} must be a number")
    return value
