"""What this machine can do at all: how fast it reads memory, and how fast it multiplies matrices."""

from collections.abc import Iterator

import torch

from cutaway.speed.timing import Contestant

BANDWIDTH_BYTES = 256 << 20
"""Far more than any cache holds."""
SIDE = 1024
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def ceilings() -> Iterator[Contestant]:
    """Reading memory with all cores, and products of large square matrices in each format."""
    data = torch.ones(BANDWIDTH_BYTES // 4)
    yield Contestant(name="read bandwidth", unit="B/s", run=data.sum, work=BANDWIDTH_BYTES)
    for name, dtype in FORMATS.items():
        yield product(name, dtype)


def product(name: str, dtype: torch.dtype) -> Contestant:
    """A product of two square matrices: 2 n³ operations."""
    a, b = torch.ones(SIDE, SIDE, dtype=dtype), torch.ones(SIDE, SIDE, dtype=dtype)
    return Contestant(name=f"matrix product {name}", unit="FLOP/s", run=lambda: a @ b, work=2 * SIDE**3)
