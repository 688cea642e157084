"""A quantised model to files: the folder of any checkpoint, its weights packed as the native kernels read them."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.atomic_file import write_atomically
from cutaway.config import GPTConfig
from cutaway.native.packed import ALIGNMENT, PackedMatrix
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.model_folder import QUANTIZATION_REPORT, model_folder, write_json, write_texts
from cutaway.weights.names import stored_shapes
from cutaway.weights.packed_file import FORMAT, VERSION, checksum, packed_entries
from cutaway.weights.safetensors_header import LENGTH_BYTES

DTYPES = {"uint8": "U8", "float16": "F16", "float32": "F32"}


@dataclass(frozen=True, kw_only=True)
class PackedModel:
    """A model whose matrices are packed; `floats` holds its vectors and positions, as a checkpoint has them."""

    config: GPTConfig
    precision: str
    matrices: Mapping[str, PackedMatrix]
    floats: Mapping[str, NDArray[np.float32]]

    @property
    def tensors(self) -> Iterator[tuple[str, NDArray[Any] | PackedMatrix]]:
        """All of them by name, as `NativeModel` takes them."""
        yield from self.matrices.items()
        yield from self.floats.items()

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for _, tensor in self.tensors)


def save_packed(
    model: PackedModel,
    folder: str | os.PathLike[str],
    tokenizer: AnyTokenizer | None = None,
    *,
    report: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a folder that this package loads without unpacking; `report` is put beside the weights.

    Raises: CheckpointError when the folder is not empty (with `overwrite`: holds other things than a checkpoint),
        when writing fails, or when the tokenizer has more tokens than the model.
    """
    with model_folder(folder, model.config, tokenizer, overwrite=overwrite) as new:
        write_texts(new, model.config, tokenizer, "float32")
        write_packed(model, new / "model.safetensors")
        if report is not None:
            write_json(new / QUANTIZATION_REPORT, report)


def write_packed(model: PackedModel, path: Path) -> None:
    """Write the weights.

    Raises: OSError when the disk is full or the folder cannot be written.
    """
    shapes = stored_shapes(model.config)
    tensors = {**dict(packed_entries(model.matrices)), **model.floats}
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "precision": model.precision,
        "shapes": json.dumps({name: shapes[name] for name in model.matrices}),
        "crc32": json.dumps({name: checksum(tensor) for name, tensor in tensors.items()}),
    }
    write_atomically(path, _parts(tensors, metadata))


def _parts(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """The bytes of a safetensors file whose data begin at a multiple of 64.

    The library itself aligns them to 8, and puts tensors into another order.
    """
    header: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for name, tensor in tensors.items():
        offsets = [at, at := at + tensor.nbytes]
        header[name] = {"dtype": DTYPES[tensor.dtype.name], "shape": tensor.shape, "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(LENGTH_BYTES + len(text)) % ALIGNMENT)
    yield len(text).to_bytes(LENGTH_BYTES, "little")
    yield text
    for tensor in tensors.values():
        yield np.ascontiguousarray(tensor).data.cast("B")
