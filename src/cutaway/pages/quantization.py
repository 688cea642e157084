"""Attention weights as small integers: the square root, rounded, because most weights are near zero.

A weight p becomes the level k = round(L √p), with L = 2^bits − 1, and is read back as (k/L)². Near p the steps are
2√p/L wide, so the error is at most √p/L + 1/(4L²), and nowhere more than 1/L.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.floating]
Levels = NDArray[np.uint8] | NDArray[np.uint16]

SHORT = 256
"""Tokens up to which a page keeps 16 bits of each weight unless asked otherwise."""


def top_level(bits: int) -> int:
    """L: the level of the weight 1."""
    return (1 << bits) - 1


def quantize(weights: Weights, bits: int) -> Levels:
    """The nearest levels of weights between 0 and 1."""
    levels: Weights = np.rint(np.sqrt(weights) * top_level(bits))
    return levels.astype(np.uint8) if bits <= 8 else levels.astype(np.uint16)


def dequantize(levels: Levels, bits: int) -> NDArray[np.float64]:
    """What the page reads back."""
    return np.square(levels.astype(np.float64) / top_level(bits))


def max_error(bits: int, weight: float = 1.0) -> float:
    """How far what is read back may lie from a weight."""
    top = top_level(bits)
    return min(float(np.sqrt(weight)) / top + 0.25 / top**2, 1 / top)


def pack(levels: Levels) -> bytes:
    """The levels deflated; of 16-bit levels all high bytes come first, which pack better than their mixture.

    Attention is noise with runs of zeros: searching it for repeats takes ten times as long and gives larger files
    than run lengths and Huffman codes alone.
    """
    planes = [levels.astype(np.uint8)] if levels.dtype == np.uint8 else [levels >> 8, levels & 255]
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return b"".join([*(packer.compress(plane.astype(np.uint8).tobytes()) for plane in planes), packer.flush()])


def unpack(data: bytes, bits: int) -> Levels:
    """The levels that were packed: what the page does, in Python."""
    levels = np.frombuffer(zlib.decompress(data), np.uint8)
    if bits <= 8:
        return levels
    high, low = levels.reshape(2, -1).astype(np.uint16)
    both: NDArray[np.uint16] = 256 * high + low
    return both
