"""One legacy `pytorch_model.bin` file: a pickle, so only PyTorch's loader for plain weights may touch it."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.weights.names import Shape


class LegacyFile:
    """The tensors of one `.bin` file, mapped where its format allows that.

    Raises: CheckpointError when it is damaged, or holds anything but tensors by name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tensors = self._load()
        for name, value in self.tensors.items():
            if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
                kind = f"{name!r} is a {type(value).__name__}, not a dense tensor"
                raise CheckpointError(f"{path}: {kind}; this is not a GPT-2's weight file")

    def _load(self) -> dict[str, Tensor]:
        try:
            with warnings.catch_warnings(action="ignore"):
                # Files from before PyTorch 1.6 are no zip archives and cannot be mapped.
                mmap = zipfile.is_zipfile(self.path)
                content = torch.load(self.path, map_location="cpu", weights_only=True, mmap=mmap)
        except Exception:  # noqa: BLE001 - damaged bytes make the unpickler raise anything
            # Torch's own message is not passed on: it advises to switch the protection off.
            raise CheckpointError(
                f"{self.path} is damaged, or a pickle with more in it than tensors, which could run any program and "
                "is not opened; fetch it again, or as .safetensors"
            ) from None
        if not isinstance(content, dict):
            raise CheckpointError(
                f"{self.path} holds a {type(content).__name__}, not tensors by name; this is not a GPT-2's weight file"
            )
        return content

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor, by its name in the file."""
        return {name: tuple(value.shape) for name, value in self.tensors.items()}

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: as stored) and on the device asked for.

        Raises: CheckpointError when it holds anything but floating-point numbers.
        """
        tensor = self.tensors[name].detach()
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{self.path}: tensor {name!r} is {tensor.dtype}; only floating-point weights can be loaded"
            )
        return tensor.to(device, dtype).contiguous()
