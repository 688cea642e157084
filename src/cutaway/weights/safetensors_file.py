"""One `.safetensors` file: a JSON header that says where each tensor lies, then the bytes. The door to safetensors.

Files are written by the library and read here, for three reasons. A damaged header gets an error that names file
and tensor. A tensor that is used as it lies in the file is mapped, not copied. One that is not (another dtype, a
device, or bytes at an odd offset, as in the published GPT-2 files) is read alone into its own memory, so that at
no time is the whole model there twice.

Source: github.com/huggingface/safetensors, README, "Format".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.weights.json_object import MAX_BYTES, parse_object
from cutaway.weights.names import Shape

LENGTH_BYTES = 8
MAX_DIMENSIONS = 8
MAX_OFFSET = (1 << 63) - 1

READABLE = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

ITEM_BYTES = {
    **dict.fromkeys(["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"], 1),
    **dict.fromkeys(["U16", "I16", "F16", "BF16"], 2),
    **dict.fromkeys(["U32", "I32", "F32"], 4),
    **dict.fromkeys(["U64", "I64", "F64", "C64"], 8),
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where one tensor lies, in bytes from the start of the file."""

    dtype: str
    shape: Shape
    begin: int
    end: int


class SafetensorsFile:
    """The tensors of one file, fetched one at a time.

    Raises: CheckpointError when the file is damaged; the header is checked here, before anything is read by it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file_bytes = path.stat().st_size
            header, data_begin = self._read_header()
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
        self.metadata = _texts(header.pop("__metadata__", None))
        """What the file says of itself, as text by name."""
        self.entries = {name: self._entry(name, value, data_begin) for name, value in header.items()}
        self._check_layout(data_begin)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor, by its name in the file."""
        return {name: entry.shape for name, entry in self.entries.items()}

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> Tensor:
        """One tensor in the dtype (None: as stored) and on the device asked for, mapped from the file where it can be.

        Raises: CheckpointError when it holds anything but floating-point numbers, or the file changed meanwhile.
        """
        entry = self.entries[name]
        if entry.dtype not in READABLE:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} is {entry.dtype}; only {', '.join(READABLE)} can be loaded"
            )
        stored = READABLE[entry.dtype]
        usable = dtype in (None, stored) and device.type == "cpu" and entry.begin % stored.itemsize == 0
        data = self._mapped[entry.begin : entry.end] if usable else self._read(name, entry)
        return data.view(stored).view(entry.shape).to(device, dtype)

    @cached_property
    def _mapped(self) -> Tensor:
        # Not shared: whoever changes a weight gets a page of his own, and the file stays as it is.
        return torch.from_file(str(self.path), shared=False, size=self.file_bytes, dtype=torch.uint8)

    def _read(self, name: str, entry: Entry) -> Tensor:
        data = torch.empty(entry.end - entry.begin, dtype=torch.uint8)
        with self.path.open("rb") as stream:
            stream.seek(entry.begin)
            if stream.readinto(data.numpy().data) != len(data):
                raise CheckpointError(f"{self.path} became shorter while tensor {name!r} was read; load it again")
        return data

    def _read_header(self) -> tuple[dict[str, Any], int]:
        with self.path.open("rb") as stream:
            length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
            room = self.file_bytes - LENGTH_BYTES
            if not 2 <= length <= room:
                raise CheckpointError(
                    f"{self.path} claims a header of {length:,} bytes and has {self.file_bytes:,} in all; "
                    "it is truncated or not a safetensors file, fetch it again"
                )
            if length > MAX_BYTES:
                raise CheckpointError(
                    f"{self.path} claims a header of {length:,} bytes; more than {MAX_BYTES:,} is not read"
                )
            return parse_object(stream.read(length), f"the header of {self.path}"), LENGTH_BYTES + length

    def _entry(self, name: str, value: Any, data_begin: int) -> Entry:
        match value:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [begin, end]} if (
                dtype in ITEM_BYTES and _are_sizes(shape) and _are_sizes([begin, end])
            ):
                entry = Entry(dtype=dtype, shape=tuple(shape), begin=data_begin + begin, end=data_begin + end)
                return self._sized(name, entry)
        what = f"the header entry of tensor {name[:80]!r} is damaged: {str(value)[:80]}"
        raise CheckpointError(f"{self.path}: {what}; fetch the file again")

    def _sized(self, name: str, entry: Entry) -> Entry:
        needed, has = math.prod(entry.shape) * ITEM_BYTES[entry.dtype], entry.end - entry.begin
        if needed != has:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} of shape {entry.shape} and dtype {entry.dtype} needs {needed:,} bytes, "
                f"but the header gives it {has:,}; fetch the file again"
            )
        return entry

    def _check_layout(self, data_begin: int) -> None:
        """Refuse tensors that overlap, leave gaps, or reach beyond the file."""
        at = data_begin
        for name, entry in sorted(self.entries.items(), key=lambda item: (item[1].begin, item[1].end)):
            if entry.end > self.file_bytes:
                raise CheckpointError(
                    f"{self.path} is truncated: tensor {name!r} ends at byte {entry.end:,}, "
                    f"the file at {self.file_bytes:,}; fetch it again"
                )
            if entry.begin != at:
                fault = "overlaps the one before it" if entry.begin < at else "leaves a gap before it"
                raise CheckpointError(f"{self.path}: tensor {name!r} {fault}; the file is damaged, fetch it again")
            at = entry.end
        if at != self.file_bytes:
            raise CheckpointError(
                f"{self.path} has {self.file_bytes - at:,} bytes after its last tensor; it is damaged, fetch it again"
            )


def _are_sizes(numbers: list[Any]) -> bool:
    return len(numbers) <= MAX_DIMENSIONS and all(type(n) is int and 0 <= n <= MAX_OFFSET for n in numbers)


def _texts(metadata: Any) -> dict[str, str]:
    named = metadata.items() if isinstance(metadata, dict) else ()
    return {name: value for name, value in named if isinstance(value, str)}


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
