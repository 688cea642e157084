"""A part of a file as an array: its pages are read when they are looked at, and processes share them."""

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import CheckpointError


def map_tensor(path: Path, name: str, begin: int, end: int) -> NDArray[np.uint8]:
    """The bytes of a tensor, perhaps at an odd address, in a mapping of their own, which ends with the array.

    Raises: CheckpointError when the file is gone, or has become shorter.
    """
    before = begin % mmap.ALLOCATIONGRANULARITY
    try:
        with path.open("rb") as stream:
            # np.memmap does the same in five times the time, and a checkpoint has hundreds of tensors.
            mapped = mmap.mmap(stream.fileno(), before + end - begin, access=mmap.ACCESS_READ, offset=begin - before)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: tensor {name!r} cannot be mapped ({error}); load it again") from None
    return np.frombuffer(mapped, np.uint8, end - begin, before)
