"""The header of a `.safetensors` file: JSON that says where each tensor lies, read and checked before it is trusted.

Source: github.com/huggingface/safetensors, README, "Format".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import CheckpointError
from cutaway.weights.json_object import MAX_BYTES, parse_object
from cutaway.weights.names import Shape

LENGTH_BYTES = 8
MAX_DIMENSIONS = 8
MAX_OFFSET = (1 << 63) - 1

READABLE = ("F64", "F32", "F16", "BF16")
"""The number formats that weights may have."""

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


class SafetensorsHeader:
    """What one file holds, and where.

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

    def readable(self, name: str) -> Entry:
        """Where a tensor of weights lies.

        Raises: CheckpointError when it holds anything but floating-point numbers.
        """
        entry = self.entries[name]
        if entry.dtype not in READABLE:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} is {entry.dtype}; only {', '.join(READABLE)} can be loaded"
            )
        return entry

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
