"""The shape of a GPT-2 as llama.cpp names it, and back."""

from collections.abc import Mapping
from typing import Any

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError
from cutaway.weights.gguf.values import Value

ARCHITECTURE = "general.architecture"

KEYS = {
    "block_size": "gpt2.context_length",
    "n_embd": "gpt2.embedding_length",
    "n_layer": "gpt2.block_count",
    "n_inner": "gpt2.feed_forward_length",
    "n_head": "gpt2.attention.head_count",
    "layer_norm_epsilon": "gpt2.attention.layer_norm_epsilon",
}
"""Source: ggml-org/llama.cpp, gguf-py/gguf/constants.py."""


def describe(config: GPTConfig) -> dict[str, Value]:
    """The values that name the network."""
    ours: dict[str, Value] = {
        "block_size": config.block_size,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_inner": config.mlp_size,
        "n_head": config.n_head,
        "layer_norm_epsilon": config.layer_norm_epsilon,
    }
    return {ARCHITECTURE: "gpt2", **{KEYS[name]: value for name, value in ours.items()}}


def config_from(values: Mapping[str, Any], *, vocab_size: int, tied: bool, source: str) -> GPTConfig:
    """The configuration that a file describes.

    Raises: CheckpointError when it is damaged, or describes another network than GPT-2.
    """
    if (architecture := values.get(ARCHITECTURE)) != "gpt2":
        raise CheckpointError(f"{source}: {ARCHITECTURE}={architecture!r} is not GPT-2; only 'gpt2' can be loaded")
    ours = {name: values[key] for name, key in KEYS.items() if key in values}
    if missing := KEYS.keys() - ours.keys():
        raise CheckpointError(f"{source} does not say {KEYS[min(missing)]}; fetch it again")
    if ours["n_inner"] == 4 * ours["n_embd"]:
        del ours["n_inner"]
    if isinstance(epsilon := ours["layer_norm_epsilon"], float):
        # Stored as a float32: the shortest number that it is the nearest to, 1e-05 and not 9.999999747378752e-06.
        ours["layer_norm_epsilon"] = float(f"{epsilon:.7g}")
    try:
        return GPTConfig(**ours, vocab_size=vocab_size, tie_word_embeddings=tied)
    except ConfigError as error:
        raise CheckpointError(f"{source}: {error}") from None
