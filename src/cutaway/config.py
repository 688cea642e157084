"""The shape of a GPT-2: eight numbers and a flag, checked once and frozen."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cutaway.errors import ConfigError, did_you_mean

MAX_BLOCK_SIZE = 1 << 20
MAX_VOCAB_SIZE = 1 << 24
MAX_WIDTH = 1 << 16
MAX_LAYERS = 1 << 10


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The hyperparameters of a GPT-2. The defaults are those of the published 124M model.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3, and the
    `config.json` of the published checkpoints.

    Raises: ConfigError when a value is out of range or `n_embd` does not divide among the heads.
    """

    block_size: int = 1024
    """Context length in tokens; `n_positions` (or `n_ctx`) in a checkpoint's `config.json`."""
    vocab_size: int = 50257
    """256 bytes + 50,000 merges + `<|endoftext|>`."""
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    """Channels of the residual stream (C in the shape comments)."""
    n_inner: int | None = None
    """Channels inside the MLP; None means 4 × n_embd, as in every published GPT-2."""
    dropout: float = 0.0
    """Probability of dropping an activation, in training only: embeddings, attention and both projections."""
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    """Whether `lm_head` is `wte` itself, as in every published GPT-2."""

    def __post_init__(self) -> None:
        check_integer("block_size", self.block_size, 1, MAX_BLOCK_SIZE)
        check_integer("vocab_size", self.vocab_size, 1, MAX_VOCAB_SIZE)
        check_integer("n_layer", self.n_layer, 1, MAX_LAYERS)
        check_integer("n_embd", self.n_embd, 1, MAX_WIDTH)
        check_integer("n_head", self.n_head, 1, self.n_embd)
        if self.n_inner is not None:
            check_integer("n_inner", self.n_inner, 1, 4 * MAX_WIDTH)
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"n_embd={self.n_embd} does not divide evenly among n_head={self.n_head} heads; "
                "choose a multiple of n_head"
            )
        if not _is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout={self.dropout!r} is not a probability from 0 up to, but not including, 1")
        if not _is_number(self.layer_norm_epsilon) or not 0 < self.layer_norm_epsilon < 1:
            raise ConfigError(f"layer_norm_epsilon={self.layer_norm_epsilon!r} must lie between 0 and 1; try 1e-5")
        if not isinstance(self.tie_word_embeddings, bool):
            raise ConfigError(f"tie_word_embeddings={self.tie_word_embeddings!r} must be true or false")

    @property
    def head_size(self) -> int:
        """Channels of one attention head (D in the shape comments)."""
        return self.n_embd // self.n_head

    @property
    def mlp_size(self) -> int:
        """Channels inside the MLP."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner

    def replace(self, **changes: Any) -> Self:
        """A copy with some values changed.

        Raises: ConfigError for an unknown name or an impossible value.
        """
        self._refuse_unknown(changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The values by name, ready for JSON or TOML."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration with these values, the rest at their defaults.

        Raises: ConfigError for an unknown name (with the nearest known one) or an impossible value.
        """
        cls._refuse_unknown(values)
        return cls(**values)

    @classmethod
    def preset(cls, name: str) -> Self:
        """The shape of a published model: gpt2, gpt2-medium, gpt2-large, gpt2-xl or distilgpt2.

        Raises: ConfigError for any other name.
        """
        if name not in PRESETS:
            raise ConfigError(f"there is no preset {name!r}; {did_you_mean(name, PRESETS)}")
        return cls(**PRESETS[name])

    @classmethod
    def _refuse_unknown(cls, values: Mapping[str, Any]) -> None:
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigError(f"GPTConfig has no key {name!r}; {did_you_mean(name, known)}")


PRESETS: Mapping[str, dict[str, Any]] = {
    "gpt2": {"n_layer": 12, "n_head": 12, "n_embd": 768},
    "gpt2-medium": {"n_layer": 24, "n_head": 16, "n_embd": 1024},
    "gpt2-large": {"n_layer": 36, "n_head": 20, "n_embd": 1280},
    "gpt2-xl": {"n_layer": 48, "n_head": 25, "n_embd": 1600},
    "distilgpt2": {"n_layer": 6, "n_head": 12, "n_embd": 768},
}
"""The published shapes; everything else is as in `GPTConfig`'s defaults."""


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Refuse anything but an int from `low` to `high`.

    Raises: ConfigError naming the value and the limits.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name}={value!r} must be an integer from {low:,} to {high:,}")
    if not low <= value <= high:
        raise ConfigError(f"{name}={value:,} is out of range; it must be from {low:,} to {high:,}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
