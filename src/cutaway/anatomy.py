"""What a GPT-2 consists of and what it costs, worked out from its configuration alone."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cutaway.config import GPTConfig
from cutaway.errors import ConfigError


@dataclass(frozen=True)
class TensorReport:
    """One learned tensor, by its name in the published checkpoints.

    Shapes are those of `cutaway.model.GPT`; the published files hold `c_attn`, `c_fc` and `c_proj` transposed.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def is_embedding(self) -> bool:
        """Whether it turns tokens or positions into vectors, or vectors into logits."""
        return self.name in ("wte.weight", "wpe.weight", "lm_head.weight")

    @property
    def is_multiplied(self) -> bool:
        """Whether a vector is multiplied by it: a matrix that is not only looked up row by row."""
        return len(self.shape) == 2 and not self.is_embedding


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How weights are stored: matrices in a number of bits, perhaps with scales; biases and LayerNorms in bytes."""

    matrix_bits: int
    vector_bytes: int
    scale_bytes: int = 0
    group_size: int | None = None
    """Inputs that share a scale; None means one scale for each output."""
    assumption: str

    def bytes_of(self, tensor: TensorReport) -> int:
        """Bytes that a tensor takes, its scales included."""
        if len(tensor.shape) == 1:
            return tensor.parameters * self.vector_bytes
        outputs, inputs = tensor.shape
        groups = 1 if self.group_size is None else math.ceil(inputs / self.group_size)
        return outputs * (math.ceil(inputs * self.matrix_bits / 8) + groups * self.scale_bytes)


PRECISIONS: Mapping[str, Precision] = {
    "fp32": Precision(matrix_bits=32, vector_bytes=4, assumption="every number in 4 bytes"),
    "bf16": Precision(matrix_bits=16, vector_bytes=2, assumption="every number in 2 bytes"),
    "fp16": Precision(matrix_bits=16, vector_bytes=2, assumption="every number in 2 bytes"),
    "int8": Precision(
        matrix_bits=8,
        vector_bytes=2,
        scale_bytes=2,
        assumption="every matrix in 1 byte a number and a 2-byte scale for each row, the rest in 2 bytes",
    ),
    "int4": Precision(
        matrix_bits=4,
        vector_bytes=2,
        scale_bytes=2,
        group_size=32,
        assumption="every matrix in half a byte a number and a 2-byte scale for each 32, the rest in 2 bytes",
    ),
}
"""The usual ways to store weights, and what is assumed of each."""


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """The parts and costs of a GPT-2 of this shape, reading or writing a token that looks at `context` tokens.

    Memory is that of the weights and of the keys and values; activations, gradients, optimizer state and the
    libraries come on top and are not counted.

    Raises: ConfigError when `context` is not from 1 to the configuration's `block_size`.
    """

    config: GPTConfig
    context: int

    def __post_init__(self) -> None:
        if not 1 <= self.context <= self.config.block_size:
            limit = f"it must be from 1 to {self.config.block_size:,}"
            raise ConfigError(f"context={self.context:,} is out of range; {limit}")

    @property
    def tensors(self) -> tuple[TensorReport, ...]:
        """Every learned tensor, in the order of the network; a tied `lm_head` is `wte` and not listed again."""
        return tuple(_tensors(self.config))

    @property
    def parameters(self) -> int:
        """How many numbers are learned; a tied head counts once."""
        return num_parameters(self.config)

    @property
    def non_embedding_parameters(self) -> int:
        """The parameters without `wte`, `wpe` and `lm_head`: the blocks and the final LayerNorm."""
        return sum(tensor.parameters for tensor in self.tensors if not tensor.is_embedding)

    @property
    def multiplied_parameters(self) -> int:
        """N in the FLOPs: the weights that each token is multiplied by, which are the blocks' matrices and the head.

        The head counts whether tied or not; `wte` and `wpe` as tables, biases and LayerNorms do not.
        """
        head = self.config.vocab_size * self.config.n_embd
        return head + sum(tensor.parameters for tensor in self.tensors if tensor.is_multiplied)

    @property
    def forward_flops_per_token(self) -> int:
        """Floating-point operations to read one token: 2 N + 4 L C T, T being `context`.

        Each weight costs a multiplication and an addition, and so does each channel of the T keys and T values.
        The average over a causal text of T tokens has half of the second term.
        """
        return 2 * self.multiplied_parameters + 4 * self.config.n_layer * self.config.n_embd * self.context

    @property
    def training_flops_per_token(self) -> int:
        """Floating-point operations to learn from one token, forward and backward: 6 N + 12 L C T.

        Source: Chowdhery et al. 2022, "PaLM: Scaling Language Modeling with Pathways", appendix B.
        """
        # The backward pass multiplies twice where the forward does once: for the inputs' and the weights' gradients.
        return 3 * self.forward_flops_per_token

    @property
    def weight_bytes(self) -> dict[str, int]:
        """Bytes of all weights in each of `PRECISIONS`."""
        tensors = self.tensors
        return {name: sum(map(precision.bytes_of, tensors)) for name, precision in PRECISIONS.items()}

    @property
    def kv_bytes_per_token(self) -> dict[str, int]:
        """Bytes of the keys and values of one cached token, in each unquantised precision."""
        numbers = 2 * self.config.n_layer * self.config.n_embd
        return {name: numbers * PRECISIONS[name].vector_bytes for name in ("fp32", "bf16", "fp16")}

    def to_dict(self) -> dict[str, Any]:
        """Everything by name, ready for JSON."""
        return {
            "config": self.config.to_dict(),
            "context": self.context,
            "parameters": self.parameters,
            "non_embedding_parameters": self.non_embedding_parameters,
            "multiplied_parameters": self.multiplied_parameters,
            "forward_flops_per_token": self.forward_flops_per_token,
            "training_flops_per_token": self.training_flops_per_token,
            "weight_bytes": self.weight_bytes,
            "weight_assumptions": {name: precision.assumption for name, precision in PRECISIONS.items()},
            "kv_bytes_per_token": self.kv_bytes_per_token,
            "not_counted": ["activations", "gradients", "optimizer state", "libraries"],
            "tensors": [{**asdict(tensor), "parameters": tensor.parameters} for tensor in self.tensors],
        }


def anatomy(config: GPTConfig, context: int | None = None) -> Anatomy:
    """The parts and costs of a GPT-2 of this shape, at a full context unless told otherwise.

    Raises: ConfigError when `context` is not from 1 to the configuration's `block_size`.
    """
    return Anatomy(config=config, context=config.block_size if context is None else context)


def num_parameters(config: GPTConfig) -> int:
    """How many numbers a GPT-2 of this shape learns, by the formula; a tied head counts once."""
    C, M = config.n_embd, config.mlp_size
    attention = 4 * C * C + 4 * C
    mlp = 2 * C * M + M + C
    layer_norm = 2 * C
    tables = 1 if config.tie_word_embeddings else 2
    embeddings = (tables * config.vocab_size + config.block_size) * C
    return embeddings + config.n_layer * (attention + mlp + 2 * layer_norm) + layer_norm


def _tensors(config: GPTConfig) -> Iterator[TensorReport]:
    C = config.n_embd
    yield TensorReport("wte.weight", (config.vocab_size, C))
    yield TensorReport("wpe.weight", (config.block_size, C))
    for layer in range(config.n_layer):
        yield from _block(f"h.{layer}", C, config.mlp_size)
    yield from _pair("ln_f", (C,))
    if not config.tie_word_embeddings:
        yield TensorReport("lm_head.weight", (config.vocab_size, C))


def _block(name: str, C: int, M: int) -> Iterator[TensorReport]:
    yield from _pair(f"{name}.ln_1", (C,))
    yield from _pair(f"{name}.attn.c_attn", (3 * C, C))
    yield from _pair(f"{name}.attn.c_proj", (C, C))
    yield from _pair(f"{name}.ln_2", (C,))
    yield from _pair(f"{name}.mlp.c_fc", (M, C))
    yield from _pair(f"{name}.mlp.c_proj", (C, M))


def _pair(name: str, shape: tuple[int, ...]) -> Iterator[TensorReport]:
    yield TensorReport(f"{name}.weight", shape)
    yield TensorReport(f"{name}.bias", shape[:1])
