"""A network in native hands from files, without PyTorch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.native import MAX_HEAD_SIZE, NativeModel, available
from cutaway.weights.array_file import ArrayFile
from cutaway.weights.gguf.file import SUFFIX, GGUFFile, open_gguf
from cutaway.weights.locate import ModelFiles, ModelSource, locate
from cutaway.weights.model_config import config_of
from cutaway.weights.names import HEAD, check_shapes, our_names
from cutaway.weights.shards import file_of_tensors, shapes_in, shard_files

EMBEDDING = "wte.weight"


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
    source: ModelSource, *, precision: str = "float32", threads: int | None = None, isa: str | None = None
) -> NativeModel:
    """The network of a checkpoint, packed for the native kernels; weights are rounded to `precision` on the way.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when its files are damaged, disagree, or are
        not a GPT-2, or hold pickles; ConfigError when there are no native kernels here, or no such precision.
    """
    files = locate(source)
    config = config_of(files)
    tensors = read_arrays(files, config)
    return NativeModel(config, tensors, precision=precision, threads=threads, isa=isa, source=str(files.weights))


def read_arrays(files: ModelFiles, config: GPTConfig) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each tensor by our name, as the file holds it; a tied head is compared with the embedding and left out.

    Raises: CheckpointError when files are damaged, disagree, or are not a GPT-2.
    """
    file_of = file_of_tensors(files.weights, _open)
    shapes = shapes_in(file_of)
    stored_name = our_names(shapes, str(files.weights))
    check_shapes({name: shapes[key] for name, key in stored_name.items()}, config, str(files.weights))
    for name, key in stored_name.items():
        array = file_of[key].array(key)
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
    return ArrayFile(path)
