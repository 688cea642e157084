"""A network in native hands from files, without PyTorch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError
from cutaway.native import MAX_HEAD_SIZE, NativeModel, available
from cutaway.native.packed import PackedMatrix
from cutaway.weights.array_file import ArrayFile
from cutaway.weights.gguf.file import SUFFIX, GGUFFile, open_gguf
from cutaway.weights.locate import ModelFiles, ModelSource, locate
from cutaway.weights.model_config import config_of
from cutaway.weights.names import HEAD, check_shapes, our_names
from cutaway.weights.packed_file import PackedFile, is_packed, open_arrays
from cutaway.weights.shards import file_of_tensors, shapes_in, shard_files

EMBEDDING = "wte.weight"

MAPPED_AS = {"int8": ("int8", "w8a8"), "int4": ("int4",)}
"""The precisions of the kernels that read what is stored in each."""


def suits_native(source: ModelSource) -> bool:
    """Whether there are native kernels here, and they can hold this checkpoint: no pickles, no heads of undue width.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when its index or `config.json` is damaged.
    """
    if not available():
        return False
    files = locate(source)
    pickled = any(path.suffix not in (".safetensors", SUFFIX) for path in shard_files(files.weights))
    return not pickled and config_of(files).head_size <= MAX_HEAD_SIZE


def load_native(
    source: ModelSource, *, precision: str | None = None, threads: int | None = None, isa: str | None = None
) -> NativeModel:
    """The network of a checkpoint, packed for the native kernels; weights are rounded to `precision` on the way.

    A quantised checkpoint is not packed but mapped: it is there at once, and processes share it until, after 64 passes,
    it moves into memory of its own, which reads faster. Its precision is its own, or w8a8 for one of int8; other
    checkpoints have float32 unless asked otherwise.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when its files are damaged, disagree, or are
        not a GPT-2, or hold pickles; ConfigError when there are no native kernels here, no such precision, or the
        checkpoint has another.
    """
    files = locate(source)
    config = config_of(files)
    stored = packed_precision(files)
    if stored and precision not in (None, *MAPPED_AS[stored]):
        raise ConfigError(
            f"{files.weights} is quantised to {stored}, from which {precision} cannot be made; "
            "leave the precision out, or take the checkpoint it was made from"
        )
    tensors = read_tensors(files, config)
    chosen = precision or stored or "float32"
    return NativeModel(config, tensors, precision=chosen, threads=threads, isa=isa, source=str(files.weights))


def packed_precision(files: ModelFiles) -> str | None:
    """The precision of a quantised checkpoint; None for any other.

    Raises: CheckpointError when its file is damaged or of another version.
    """
    return PackedFile(files.weights).precision if is_packed(files.weights) else None


def read_tensors(files: ModelFiles, config: GPTConfig) -> Iterator[tuple[str, NDArray[Any] | PackedMatrix]]:
    """Each tensor by our name, packed or as floats, as the file holds it.

    A tied head is compared with the embedding and left out.

    Raises: CheckpointError when files are damaged, disagree, or are not a GPT-2.
    """
    file_of = file_of_tensors(files.weights, _open)
    shapes = shapes_in(file_of)
    stored_name = our_names(shapes, str(files.weights))
    check_shapes({name: shapes[key] for name, key in stored_name.items()}, config, str(files.weights))
    for name, key in stored_name.items():
        file = file_of[key]
        if isinstance(file, PackedFile) and file.is_packed(key):
            yield name, file.packed(key)
            continue
        array = file.array(key)
        if name == HEAD and config.tie_word_embeddings:
            embedding = stored_name[EMBEDDING]
            if not np.array_equal(array, file_of[embedding].array(embedding)):
                raise CheckpointError(
                    f"{files.weights}: tensor {HEAD!r} differs from {EMBEDDING!r}, though config.json ties them; "
                    "set tie_word_embeddings to false there"
                )
            continue
        yield name, array


def _open(path: Path) -> ArrayFile | GGUFFile:
    if path.suffix == SUFFIX:
        return open_gguf(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path} is a pickle, which only PyTorch reads; save the model as safetensors first")
    return open_arrays(path)
