"""A model to a GGUF file, for llama.cpp and what is built on it."""

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.gguf import shape, vocabulary
from cutaway.weights.gguf.formats import FORMATS, Floats, Format, format_named
from cutaway.weights.gguf.names import POSITIONS, gguf_name
from cutaway.weights.gguf.values import Value, encode_text, encode_values
from cutaway.weights.names import Shape, is_transposed, stored_shapes
from cutaway.weights.new_file import new_file

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
QUANTIZATION_VERSION = 2
"""ggml's GGML_QNT_VERSION: which layouts the blocks have."""

CHUNK = 1 << 20
"""Numbers that are converted at a time."""


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """A tensor's place in the file."""

    name: str
    """Ours."""
    shape: Shape
    format: Format
    offset: int
    """From the start of the data."""

    @property
    def end(self) -> int:
        """The first byte after it, not counting what fills up to the next."""
        return self.offset + self.format.size(math.prod(self.shape))

    def encode(self) -> bytes:
        """Its entry in the header; ggml names the fastest dimension first."""
        layout = f"<I{len(self.shape)}QIQ"
        sizes = reversed(self.shape)
        return encode_text(gguf_name(self.name)) + struct.pack(
            layout, len(self.shape), *sizes, self.format.number, self.offset
        )


def save_gguf(
    model: GPT,
    file: str | os.PathLike[str],
    tokenizer: AnyTokenizer,
    *,
    dtype: str = "F16",
    name: str = "GPT-2",
    overwrite: bool = False,
) -> None:
    """Write one file that llama.cpp loads as the same model, but for the rounding of `dtype`.

    Matrices and token embeddings are stored in `dtype` (F32, F16, BF16, Q8_0 or Q4_0); biases, LayerNorms and positions
    in float32, as llama.cpp has them. Tensors are converted a piece at a time, so memory does not grow with the model.

    Raises: CheckpointError when the file is there (unless `overwrite`), there is no room for it, or a weight is too
        large for `dtype`; ConfigError for an unknown dtype, or one whose blocks do not divide the rows; TokenizerError
        when llama.cpp cannot have this tokenizer.
    """
    chosen = format_named(dtype)
    infos = list(tensor_infos(model.config, chosen))
    values: dict[str, Value] = {
        **shape.describe(model.config),
        "general.name": name,
        "general.alignment": ALIGNMENT,
        "general.file_type": chosen.file_type,
        "general.quantization_version": QUANTIZATION_VERSION,
        **vocabulary.describe(tokenizer, model.config.vocab_size),
    }
    header = encode_header(values, infos)
    with (
        new_file(file, len(header) + padded(infos[-1].end), overwrite=overwrite) as target,
        target.open("wb") as stream,
    ):
        stream.write(header)
        for info in infos:
            for part in _data(model, info):
                stream.write(part)


def tensor_infos(config: GPTConfig, chosen: Format) -> Iterator[TensorInfo]:
    """Every tensor and where it lies.

    Raises: ConfigError when a row is no whole number of blocks.
    """
    offset = 0
    for name, stored in stored_shapes(config).items():
        ours = stored[::-1] if is_transposed(name) else stored
        matrix = len(ours) == 2 and gguf_name(name) != POSITIONS
        info = TensorInfo(name=name, shape=ours, format=chosen if matrix else FORMATS["F32"], offset=offset)
        if ours[-1] % info.format.block:
            blocks = f"cannot be cut into the blocks of {info.format.block} that {chosen.name} has"
            raise ConfigError(f"tensor {name!r} has rows of {ours[-1]:,}, which {blocks}; choose F16 or BF16")
        yield info
        offset = padded(info.end)


def encode_header(values: dict[str, Value], infos: list[TensorInfo]) -> bytes:
    """All that comes before the data."""
    counts = struct.pack("<IQQ", VERSION, len(infos), len(values))
    header = b"".join([MAGIC, counts, *encode_values(values), *(info.encode() for info in infos)])
    return header.ljust(padded(len(header)), b"\0")


def padded(size: int) -> int:
    """The size, up to the next place where a tensor may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _data(model: GPT, info: TensorInfo) -> Iterator[bytes]:
    parameter = model.get_parameter(info.name).detach()
    rows = max(1, CHUNK // math.prod(info.shape[1:]))
    for begin in range(0, len(parameter), rows):
        numbers: Floats = parameter[begin : begin + rows].to("cpu", torch.float32).numpy()
        _refuse_infinite(numbers, info)
        yield info.format.encode(numbers).tobytes()
    yield bytes(padded(info.end) - info.end)


def _refuse_infinite(numbers: Floats, info: TensorInfo) -> None:
    largest = float(np.abs(numbers).max())
    if not largest <= info.format.largest:  # nor for NaN
        raise CheckpointError(
            f"tensor {info.name!r} holds {largest:g}, and {info.format.name} ends at {info.format.largest:g}; "
            "choose a dtype with a wider range"
        )
