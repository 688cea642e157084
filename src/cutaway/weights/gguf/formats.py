"""The number formats of GGUF: rows of float32 to bytes, and back.

The quantised ones cut a row into blocks of 32 numbers, each block small integers with one float16 scale. They are
those of llama.cpp to the bit.

Source: github.com/ggml-org/ggml, src/ggml-common.h for the layouts, src/ggml-quants.c for `quantize_row_…_ref`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import ConfigError, did_you_mean

BLOCK = 32
"""Numbers that share a scale."""

Floats: TypeAlias = NDArray[np.float32]
Bytes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How numbers are stored."""

    name: str
    number: int
    """ggml's number of it."""
    file_type: int
    """llama.cpp's number of a file that is mostly of it."""
    block: int
    """Numbers in a block; a row is a whole number of blocks."""
    block_bytes: int
    largest: float
    """The largest magnitude that does not become infinite."""
    to_bytes: Callable[[Floats], Bytes]
    """Blocks to bytes: (n, block) -> (n, block_bytes)"""
    to_floats: Callable[[Bytes], Floats]
    """The way back: (n, block_bytes) -> (n, block)"""

    def size(self, numbers: int) -> int:
        """The bytes of so many numbers, which are whole blocks."""
        return numbers // self.block * self.block_bytes

    def encode(self, rows: Floats) -> Bytes:
        """The bytes of some rows, one after the other."""
        return self.to_bytes(np.ascontiguousarray(rows, np.float32).reshape(-1, self.block)).reshape(-1)

    def decode(self, data: Bytes) -> Floats:
        """The numbers that some bytes stand for, in a row."""
        return self.to_floats(data.reshape(-1, self.block_bytes)).reshape(-1)


def to_f16(blocks: Floats) -> Bytes:
    """Round to the nearest float16, ties to even."""
    return blocks.astype("<f2").view(np.uint8)


def to_bf16(blocks: Floats) -> Bytes:
    """Keep the upper half of a float32, rounded to the nearest, ties to even."""
    bits = blocks.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").view(np.uint8)


def from_bf16(data: Bytes) -> Floats:
    """Give back the lower half, as zeros."""
    return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)


def to_q8_0(blocks: Floats) -> Bytes:
    """A scale, then 32 signed bytes: the largest magnitude becomes 127."""
    scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    scaled = (blocks * inverse(scales)).astype(np.float64)
    # C's roundf takes halves away from zero, numpy's to even.
    quants = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int8)
    return np.hstack([to_f16(scales), quants.view(np.uint8)])


def from_q8_0(data: Bytes) -> Floats:
    """Scale times byte."""
    return scales_of(data) * data[:, 2:].view(np.int8).astype(np.float32)


def to_q4_0(blocks: Floats) -> Bytes:
    """A scale, then 32 numbers from 0 to 15 that mean -8 to 7: the one furthest from zero becomes -8.

    A byte holds a number of the first half of the block in its lower four bits and one of the second half above.
    """
    furthest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    scales = furthest / np.float32(-8)
    # Rounded after each of the two operations, as llama.cpp is compiled to: where processors fuse them, a number that
    # lies halfway may go to the other side.
    shifted = blocks * inverse(scales) + np.float32(8.5)
    quants = np.minimum(shifted, 15).astype(np.uint8)
    half = BLOCK // 2
    return np.hstack([to_f16(scales), quants[:, :half] | quants[:, half:] << 4])


def from_q4_0(data: Bytes) -> Floats:
    """Scale times number, from -8 to 7."""
    pairs = data[:, 2:]
    quants = np.hstack([pairs & 15, pairs >> 4]).astype(np.float32) - 8
    return scales_of(data) * quants


def inverse(scales: Floats) -> Floats:
    """One over each scale, and 0 where a block is all but zero."""
    usable = np.abs(scales) >= np.finfo(np.float32).tiny
    return np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=usable)


def scales_of(data: Bytes) -> Floats:
    """The float16 that each block begins with."""
    return np.ascontiguousarray(data[:, :2]).view("<f2").astype(np.float32)


def _listed(*formats: Format) -> Mapping[str, Format]:
    return MappingProxyType({each.name: each for each in formats})


# What lies less than half a step above the largest float16, or bfloat16, is still rounded down to it.
_F16, _BF16 = 65519.0, float(np.uint32(0x7F7F7FFF).view(np.float32))

FORMATS = _listed(
    Format(
        name="F32",
        number=0,
        file_type=0,
        block=1,
        block_bytes=4,
        largest=float(np.finfo(np.float32).max),
        to_bytes=lambda blocks: blocks.astype("<f4", copy=False).view(np.uint8),
        to_floats=lambda data: data.view("<f4").astype(np.float32, copy=False),
    ),
    Format(
        name="F16",
        number=1,
        file_type=1,
        block=1,
        block_bytes=2,
        largest=_F16,
        to_bytes=to_f16,
        to_floats=lambda data: data.view("<f2").astype(np.float32),
    ),
    Format(
        name="BF16",
        number=30,
        file_type=32,
        block=1,
        block_bytes=2,
        largest=_BF16,
        to_bytes=to_bf16,
        to_floats=from_bf16,
    ),
    Format(
        name="Q8_0",
        number=8,
        file_type=7,
        block=BLOCK,
        block_bytes=34,
        largest=127 * _F16,
        to_bytes=to_q8_0,
        to_floats=from_q8_0,
    ),
    Format(
        name="Q4_0",
        number=2,
        file_type=2,
        block=BLOCK,
        block_bytes=18,
        largest=8 * _F16,
        to_bytes=to_q4_0,
        to_floats=from_q4_0,
    ),
)
"""The formats that are read and written, by llama.cpp's names."""

BY_NUMBER: Mapping[int, Format] = {each.number: each for each in FORMATS.values()}
SAME: Mapping[str, str] = {"FLOAT32": "F32", "FLOAT16": "F16", "BFLOAT16": "BF16"}


def format_named(name: str) -> Format:
    """The format that llama.cpp, or this package, calls so, in capitals or not.

    Raises: ConfigError for any other name.
    """
    known: dict[str, Any] = {**FORMATS, **{same: FORMATS[theirs] for same, theirs in SAME.items()}}
    if name.upper() not in known:
        raise ConfigError(f"GGUF has no {name!r} here; {did_you_mean(name.upper(), FORMATS)}")
    found: Format = known[name.upper()]
    return found
