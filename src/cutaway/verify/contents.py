"""A checkpoint's tensors, one at a time, as its files hold them: nothing here trusts how the package loads them."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.config import GPTConfig
from cutaway.weights.checkpoint import Checkpoint
from cutaway.weights.locate import ModelFiles
from cutaway.weights.names import HEAD, Shape, our_names
from cutaway.weights.packed_file import PackedFile

Floats: TypeAlias = NDArray[np.floating[Any]]

CPU = torch.device("cpu")


class Contents:
    """The tensors in a model's weight files by our names, matrices (in, out) as GPT-2 checkpoints store them.

    Raises: CheckpointError when a file is damaged or missing.
    """

    def __init__(self, files: ModelFiles) -> None:
        self._checkpoint = Checkpoint(files.weights)
        self._stored_name = our_names(self._checkpoint.shapes, str(files.weights))

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored_name)

    def __contains__(self, name: str) -> bool:
        return name in self._stored_name

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each tensor."""
        return {name: self._checkpoint.shapes[key] for name, key in self._stored_name.items()}

    @property
    def packed_files(self) -> list[PackedFile]:
        """The files that are quantised: they hold a checksum of each tensor."""
        return [file for file in dict.fromkeys(self._checkpoint.file_of.values()) if isinstance(file, PackedFile)]

    def tensor(self, name: str) -> Tensor:
        """One tensor, whatever is in it.

        Raises: CheckpointError when it holds anything but floating-point numbers, or is not what its checksum says.
        """
        key = self._stored_name[name]
        return self._checkpoint.file_of[key].tensor(key, None, CPU)

    def array(self, name: str) -> Floats:
        """One tensor in float32, or in float64 where it is stored so."""
        tensor = self.tensor(name)
        array: Floats = (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy()
        return array

    def head(self, config: GPTConfig) -> str:
        """The name of the tensor that turns states into logits."""
        return "wte.weight" if config.tie_word_embeddings else HEAD
