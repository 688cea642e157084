"""Matrices of whole numbers, packed as the kernels read them, from integers and scales, and back.

`layout.h` draws how they lie.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
"""Outputs that lie together; inputs too are padded to a multiple of it."""

ALIGNMENT = 64
"""Packed weights begin at a multiple of so many bytes."""

Integers = NDArray[np.int8]
Scales = NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class IntegerFormat:
    """Weights as scale × q, q a whole number from `low` to `high`, a scale for each output and group of inputs."""

    bits: int
    group: int
    low: int
    high: int

    def groups(self, inputs: int) -> int:
        """How many scales an output has; the last may be of fewer inputs."""
        return -(-inputs // self.group)

    def packed_shapes(self, inputs: int, outputs: int, parts: int = 1) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of packed weights and scales."""
        blocks = parts * padded(outputs // parts) // BLOCK
        return (
            (blocks, padded(inputs) * self.bits // 32, BLOCK, 4),
            (blocks, padded(inputs) // self.group, BLOCK),
        )


FORMATS: Mapping[str, IntegerFormat] = {
    "int8": IntegerFormat(bits=8, group=64, low=-127, high=127),
    "int4": IntegerFormat(bits=4, group=32, low=-8, high=7),
}
"""The precisions that are whole numbers."""


@dataclass(frozen=True)
class PackedMatrix:
    """Weights and scales as the kernels read them."""

    weights: NDArray[np.uint8]
    scales: Scales

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.weights.nbytes + self.scales.nbytes


def padded(size: int) -> int:
    """The next multiple of 64."""
    return -(-size // BLOCK) * BLOCK


def pack(integers: Integers, scales: Scales, kind: IntegerFormat, parts: int = 1) -> PackedMatrix:
    """A matrix for the kernels; `parts` of its outputs are padded each by itself, as queries, keys and values are.

    Shapes: integers (out, in), scales (out, groups) -> weights (out / 64, in · bits / 32, 64, 4), scales
    (out / 64, groups, 64)
    """
    inputs = padded(integers.shape[1])
    q = _padded(integers, parts, inputs)
    s = _padded(scales, parts, inputs // kind.group)
    unsigned = (q.astype(np.int16) + (1 << (kind.bits - 1))).astype(np.uint8)
    # (blocks, 64, in / n, 4 in n / 4 sets) -> (blocks, in / n, 64, 4)
    sets = unsigned.reshape(-1, BLOCK, q.shape[1] * kind.bits // 32, 8 // kind.bits, 4)
    together = sets[..., 0, :] if kind.bits == 8 else sets[..., 0, :] | sets[..., 1, :] << 4
    return PackedMatrix(
        _aligned(together.transpose(0, 2, 1, 3)), _aligned(s.reshape(-1, BLOCK, s.shape[1]).transpose(0, 2, 1))
    )


def unpack(
    packed: PackedMatrix, inputs: int, outputs: int, kind: IntegerFormat, parts: int = 1
) -> tuple[Integers, Scales]:
    """The integers and scales that were packed.

    Shapes: -> integers (out, in), scales (out, groups)
    """
    together = packed.weights.transpose(0, 2, 1, 3)
    sets = [together] if kind.bits == 8 else [together & 15, together >> 4]
    unsigned = np.stack(sets, axis=-2).reshape(packed.weights.shape[0] * BLOCK, -1)
    q = (unsigned.astype(np.int16) - (1 << (kind.bits - 1))).astype(np.int8)
    s = packed.scales.transpose(0, 2, 1).reshape(len(q), -1)
    return _cut(q, parts, outputs, inputs), _cut(s, parts, outputs, kind.groups(inputs))


def dequantized(integers: Integers, scales: Scales, kind: IntegerFormat) -> NDArray[np.float32]:
    """The weights that integers and scales stand for.

    Shapes: integers (out, in), scales (out, groups) -> (out, in)
    """
    wide = np.repeat(scales.astype(np.float32), kind.group, axis=1)[:, : integers.shape[1]]
    floats: NDArray[np.float32] = integers * wide
    return floats


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    """A copy in the order of its axes that begins at a multiple of 64 bytes."""
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    begin = -room.ctypes.data % ALIGNMENT
    copy: NDArray[Any] = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _padded(array: NDArray[Any], parts: int, columns: int) -> NDArray[Any]:
    """Each part of the rows filled up with zeros to a multiple of 64, and the columns to so many."""
    each = len(array) // parts
    room = np.zeros((parts, padded(each), columns), array.dtype)
    room[:, :each, : array.shape[1]] = array.reshape(parts, each, -1)
    return room.reshape(-1, columns)


def _cut(array: NDArray[Any], parts: int, rows: int, columns: int) -> NDArray[Any]:
    """What `_padded` filled up, without the filling."""
    return array.reshape(parts, -1, array.shape[1])[:, : rows // parts, :columns].reshape(rows, columns)
