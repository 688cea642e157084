"""A quantised checkpoint: matrices of whole numbers, packed in the file as the native kernels read them.

It is a safetensors file whose metadata name the format, its version, the precision, and the shapes that the packed
matrices have in an ordinary checkpoint. A matrix `NAME.weight` is bytes, [blocks][inputs × bits / 32][64][4], and its
scales, `NAME.scales`, are float16, [blocks][groups][64]; native/layout.h draws both. All else is float32, as ever.
The metadata also hold a checksum of each tensor. What is read is held to it: by PyTorch everything, by the kernels
scales and vectors. What the kernels map is not, for that would read the whole file before the first token; it is held
to it by `cutaway verify`.

Packed tensors come first and the header is filled up with spaces, so that each begins at a multiple of 64 bytes in the
file, and so in memory, where the file is mapped and multiplied as it lies.
"""

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import CheckpointError
from cutaway.native.packed import ALIGNMENT, FORMATS, IntegerFormat, PackedMatrix, dequantized, unpack
from cutaway.weights.array_file import ArrayFile
from cutaway.weights.json_object import parse_object
from cutaway.weights.mapping import map_tensor
from cutaway.weights.names import Shape, is_transposed
from cutaway.weights.safetensors_header import Entry, SafetensorsHeader

FORMAT, VERSION = "cutaway-packed", "1"

QUERIES_KEYS_VALUES = "attn.c_attn.weight"

REPAIR = "make it again with cutaway quantize"


class PackedFile(ArrayFile):
    """The tensors of a quantised checkpoint: as they are packed, or as the floats they stand for.

    Raises: CheckpointError when the file is damaged, of another version, or not packed as the kernels read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.precision = self._known("precision", *FORMATS)
        self._known("version", VERSION)
        shapes = parse_object(self.metadata.get("shapes", "").encode(), f"the list of packed tensors in {path}")
        self._packed = {name: self._checked(name, shape) for name, shape in shapes.items()}
        self.checksums = self._known_checksums()
        """The checksum of each stored tensor when it was written; empty in files made before there were any."""

    @property
    def format(self) -> IntegerFormat:
        """The format of its whole numbers."""
        return FORMATS[self.precision]

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape that each tensor has in an ordinary checkpoint, by its name there."""
        scales = {scales_of(name) for name in self._packed}
        return {name: entry.shape for name, entry in self.entries.items() if name not in scales} | self._packed

    def is_packed(self, name: str) -> bool:
        """Whether a tensor is a packed matrix."""
        return name in self._packed

    def packed(self, name: str) -> PackedMatrix:
        """A packed matrix, mapped.

        Raises: CheckpointError when scales are damaged or not finite, or the file changed meanwhile.
        """
        weights, scales = self._bytes(name), self._read(scales_of(name)).view(np.float16)
        if not np.isfinite(scales).all():
            raise CheckpointError(f"{self.path}: tensor {scales_of(name)!r} holds NaN or infinity; {REPAIR}")
        shapes = (self.entries[stored].shape for stored in (name, scales_of(name)))
        return PackedMatrix(weights.reshape(next(shapes)), scales.reshape(next(shapes)))

    def array(self, name: str) -> NDArray[np.float32]:
        """One tensor as floats, a layer's matrices (in, out) as in any checkpoint.

        Raises: CheckpointError when it is damaged or holds anything but numbers, or the file changed meanwhile.
        """
        self._read(name)
        if not self.is_packed(name):
            return super().array(name)
        outputs, inputs = sizes(name, self._packed[name])
        integers, scales = unpack(self.packed(name), inputs, outputs, self.format, parts_of(name))
        floats = dequantized(integers, scales, self.format)
        return np.ascontiguousarray(floats.T) if is_transposed(name) else floats

    def damaged(self) -> list[str]:
        """The stored tensors whose bytes are not those that were written, as far as their checksums are known."""
        return [name for name in self.checksums if not self._is_whole(name, self._bytes(name))]

    def _bytes(self, name: str) -> NDArray[np.uint8]:
        entry = self.entries[name]
        return map_tensor(self.path, name, entry.begin, entry.end)

    def _read(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a stored tensor, if they are those that were written."""
        data = self._bytes(name)
        if not self._is_whole(name, data):
            raise CheckpointError(f"{self.path}: tensor {name!r} is not what was written; it is damaged, {REPAIR}")
        return data

    def _is_whole(self, name: str, data: NDArray[np.uint8]) -> bool:
        return name not in self.checksums or checksum(data) == self.checksums[name]

    def _known(self, key: str, *known: str) -> str:
        value = self.metadata.get(key, "")
        if value not in known:
            one = "is " + " or ".join(known)
            raise CheckpointError(f"{self.path} has {key} {value[:40]!r}; the {key} that can be read {one}; {REPAIR}")
        return value

    def _known_checksums(self) -> Mapping[str, Any]:
        text = self.metadata.get("crc32")
        if text is None:
            return {}
        checksums = parse_object(text.encode(), f"the list of checksums in {self.path}")
        if odd := checksums.keys() ^ self.entries.keys():
            raise CheckpointError(
                f"{self.path}: tensor {min(odd)[:80]!r} is only in one of the header and its checksums; {REPAIR}"
            )
        return checksums

    def _checked(self, name: str, shape: Any) -> Shape:
        """The shape of a packed matrix, if what is stored for it has the size that follows from it."""
        if not (isinstance(shape, list) and len(shape) == 2 and all(type(n) is int and n > 0 for n in shape)):
            raise CheckpointError(f"{self.path}: tensor {name[:80]!r} has the shape {str(shape)[:80]}; {REPAIR}")
        outputs, inputs = sizes(name, (shape[0], shape[1]))
        expected = self.format.packed_shapes(inputs, outputs, parts_of(name))
        for stored, dtype, wanted in zip((name, scales_of(name)), ("U8", "F16"), expected, strict=True):
            entry = self.entries.get(stored)
            if entry is None or (entry.dtype, entry.shape) != (dtype, wanted):
                raise CheckpointError(
                    f"{self.path}: tensor {stored!r} should be {dtype} of the shape {wanted}, "
                    f"but is {_described(entry)}; {REPAIR}"
                )
            if entry.begin % ALIGNMENT:
                raise CheckpointError(
                    f"{self.path}: tensor {stored!r} begins at byte {entry.begin:,}, which is no multiple of "
                    f"{ALIGNMENT}; another program has written it, {REPAIR}"
                )
        return shape[0], shape[1]


def open_arrays(path: Path) -> ArrayFile:
    """A `.safetensors` file in numpy's hands, whether it holds floats or packed matrices.

    Raises: CheckpointError when the file is damaged.
    """
    return PackedFile(path) if is_packed(path) else ArrayFile(path)


def is_packed(path: Path) -> bool:
    """Whether a file is a quantised checkpoint.

    Raises: CheckpointError when it is a damaged safetensors file.
    """
    return path.suffix == ".safetensors" and SafetensorsHeader(path).metadata.get("format") == FORMAT


def scales_of(name: str) -> str:
    """The name of the scales that belong to a packed matrix."""
    return name.removesuffix("weight") + "scales"


def sizes(name: str, stored: Shape) -> tuple[int, int]:
    """Outputs and inputs of a matrix, from its shape in a checkpoint."""
    rows, columns = stored
    return (columns, rows) if is_transposed(name) else (rows, columns)


def parts_of(name: str) -> int:
    """Into how many parts a matrix's outputs fall, each padded by itself."""
    return 3 if name.endswith(QUERIES_KEYS_VALUES) else 1


def checksum(array: NDArray[Any]) -> int:
    """The CRC-32 of an array's bytes: it misses no burst of up to 32 damaged bits, and one in 4 billion of others."""
    return zlib.crc32(np.ascontiguousarray(array).data.cast("B"))


def packed_entries(matrices: Mapping[str, PackedMatrix]) -> Iterator[tuple[str, NDArray[Any]]]:
    """What a file holds of packed matrices: each one's weights, then its scales."""
    for name, matrix in matrices.items():
        yield name, matrix.weights
        yield scales_of(name), matrix.scales


def _described(entry: Entry | None) -> str:
    return "not there" if entry is None else f"{entry.dtype} of the shape {entry.shape}"
