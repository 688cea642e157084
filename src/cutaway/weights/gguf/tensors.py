"""A GGUF file in PyTorch's hands."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from cutaway.weights.gguf.file import open_gguf
from cutaway.weights.names import Shape


class GGUFTensors:
    """The tensors of one file, fetched one at a time.

    Raises: CheckpointError when the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, open_gguf(path)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor, by our name."""
        return self._file.shapes

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: float32, which blocks are opened to) and on the device asked for."""
        # Mapped read-only, which PyTorch has no word for, so it gets memory of its own.
        return torch.from_numpy(self._file.array(name).copy(order="K")).to(device, dtype)
