"""One `.safetensors` file: a JSON header that says where each tensor lies, then the bytes. The door to safetensors.

Files are written by the library and read here, for three reasons. A damaged header gets an error that names file
and tensor. A tensor that is used as it lies in the file is mapped, not copied. One that is not (another dtype, a
device, or bytes at an odd offset, as in the published GPT-2 files) is read alone into its own memory, so that at
no time is the whole model there twice.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.weights.safetensors_header import Entry, SafetensorsHeader

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class SafetensorsFile(SafetensorsHeader):
    """The tensors of one file, fetched one at a time.

    Raises: CheckpointError when the file is damaged.
    """

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: as stored) and on the device asked for, mapped from the file where it can be.

        Raises: CheckpointError when it holds anything but floating-point numbers, or the file changed meanwhile.
        """
        entry = self.readable(name)
        stored = DTYPES[entry.dtype]
        usable = dtype in (None, stored) and device.type == "cpu" and entry.begin % stored.itemsize == 0
        data = self._mapped[entry.begin : entry.end] if usable else self._read(name, entry)
        return data.view(stored).view(entry.shape).to(device, dtype)

    @cached_property
    def _mapped(self) -> Tensor:
        # Not shared: whoever changes a weight gets a page of his own, and the file stays as it is.
        try:
            return torch.from_file(str(self.path), shared=False, size=self.file_bytes, dtype=torch.uint8)
        except RuntimeError as error:  # PyTorch's way to say what Python says with OSError
            raise CheckpointError(f"{self.path} cannot be mapped any more ({error}); load it again") from None

    def _read(self, name: str, entry: Entry) -> Tensor:
        data = torch.empty(entry.end - entry.begin, dtype=torch.uint8)
        with self.path.open("rb") as stream:
            stream.seek(entry.begin)
            if stream.readinto(data.numpy().data) != len(data):
                raise CheckpointError(f"{self.path} became shorter while tensor {name!r} was read; load it again")
        return data


def write_safetensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors, and what is to be said of them, to a new file.

    Raises: OSError when the disk is full or the folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        # Hugging Face's loaders ask for the format that the tensors came from.
        save_file(dict(tensors), path, metadata={"format": "pt", **(metadata or {})})
    except SafetensorError as error:
        raise OSError(str(error)) from None
