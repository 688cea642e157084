"""A model's weight files as one: every tensor by name, wherever it lies."""

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.weights.gguf.file import SUFFIX
from cutaway.weights.gguf.tensors import GGUFTensors
from cutaway.weights.legacy_file import LegacyFile
from cutaway.weights.packed_file import PackedFile, is_packed
from cutaway.weights.safetensors_file import SafetensorsFile
from cutaway.weights.shards import TensorFile, file_of_tensors, shapes_in


class WeightFile(TensorFile, Protocol):
    """A file of named tensors, fetched one at a time."""

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: as stored) and on the device asked for."""
        ...


class Checkpoint:
    """The tensors of a weight file, or of all files that an index names.

    Raises: CheckpointError when a file is damaged or missing, or the index and the files disagree.
    """

    def __init__(self, weights: Path) -> None:
        self.file_of = file_of_tensors(weights, _open)
        self.shapes = shapes_in(self.file_of)

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: as stored) and on the device asked for.

        Raises: CheckpointError when it is not made of finite floating-point numbers in that dtype.
        """
        tensor = self.file_of[name].tensor(name, dtype, device)
        if not is_finite(tensor):
            raise CheckpointError(
                f"{self.file_of[name].path}: tensor {name!r} holds NaN or infinity as {tensor.dtype}; "
                "the checkpoint is damaged, or needs a dtype with a wider range"
            )
        return tensor


class DequantizedFile(PackedFile):
    """A quantised checkpoint's tensors as the floats that its whole numbers stand for."""

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: float32) and on the device asked for.

        Raises: CheckpointError when it holds anything but numbers, or the file changed meanwhile.
        """
        # A copy, since what is mapped cannot be written to, and a parameter can.
        return torch.from_numpy(self.array(name).copy()).to(device, dtype)


def is_finite(tensor: Tensor) -> bool:
    """Whether no number in it is NaN or infinite."""
    # A sum costs a fraction of testing every number, and is finite unless one of them is not, or it overflows.
    return bool(tensor.sum(dtype=torch.float32).isfinite() or tensor.isfinite().all())


def _open(path: Path) -> WeightFile:
    if is_packed(path):
        return DequantizedFile(path)
    if path.suffix == ".safetensors":
        return SafetensorsFile(path)
    return GGUFTensors(path) if path.suffix == SUFFIX else LegacyFile(path)
