"""What a tab of a page is made of, and how its numbers travel inside the HTML."""

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cutaway.errors import ConfigError

MAX_VALUES = 1 << 26
"""Numbers in one array of a page; beyond this browsers give up."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A named run of bytes, deflated, that the page unpacks when it is needed."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class View:
    """One tab: which of the page's scripts draws it, what it is called, its facts for JSON, and its bulk."""

    kind: str
    title: str
    facts: Mapping[str, Any]
    blocks: Iterable[Block] = ()


def deflate(data: bytes) -> bytes:
    """Bytes as zlib packs them; the browser's DecompressionStream("deflate") unpacks them."""
    return zlib.compress(data, 6)


def float_block(name: str, values: Floats) -> Block:
    """An array as the page's Float32Array, exact, with NaN where there is nothing."""
    return Block(name=name, data=deflate(np.ascontiguousarray(values, dtype="<f4").tobytes()))


def json_block(name: str, value: Any) -> Block:
    """Anything JSON can say."""
    return Block(name=name, data=deflate(json.dumps(value, allow_nan=False, separators=(",", ":")).encode()))


def floats(values: ArrayLike, what: str, *, ndim: int) -> Floats:
    """The values as float32, checked to be numbers in `ndim` dimensions that a page can hold; NaN is allowed.

    Raises: ConfigError when they are not.
    """
    try:
        given = np.asarray(values)
    except ValueError:
        raise ConfigError(f"{what} must be an array, not rows of different lengths") from None
    if given.dtype.kind not in "biuf":
        raise ConfigError(f"{what} must be real numbers, not {given.dtype}")
    if given.ndim != ndim or not given.size:
        raise ConfigError(f"{what} has the shape {given.shape}; a page wants {ndim} dimensions, none of them empty")
    if given.size > MAX_VALUES:
        raise ConfigError(f"{what} has {given.size:,} numbers and a page holds {MAX_VALUES:,}; show a part of it")
    with np.errstate(over="ignore"):
        array = given.astype(np.float32)
    # What is too large for float32 has become infinite too.
    if np.isinf(array).any():
        raise ConfigError(f"{what} has infinite values, which no colour stands for; put NaN where there is none")
    return array


def labels(names: Sequence[str | int], what: str, count: int) -> list[str]:
    """The names as text, checked to be as many as there are things to name.

    Raises: ConfigError when they are more or fewer.
    """
    if len(names) != count:
        raise ConfigError(f"there are {len(names):,} labels for {count:,} {what}; give one for each")
    return [str(name) for name in names]


def number(value: float | None) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if value is None or math.isnan(value) else float(value)
