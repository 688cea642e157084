"""A GGUF file in PyTorch's hands."""

import torch
from torch import Tensor

from cutaway.weights.gguf.file import GGUFFile


class GGUFTensors(GGUFFile):
    """The tensors of one file, fetched one at a time."""

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: float32, which blocks are opened to) and on the device asked for."""
        # Mapped read-only, which PyTorch has no word for, so it gets its own memory.
        return torch.from_numpy(self.array(name).copy()).to(device, dtype)
