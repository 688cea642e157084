"""Where a model's tensors are: one weight file, or several and an index that says which holds what."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from cutaway.errors import CheckpointError
from cutaway.weights.json_object import read_object
from cutaway.weights.names import Shape

WEIGHT_FILES: Sequence[str] = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The names that Hugging Face gives weights, the preferred first."""

INDEX_SUFFIX = ".index.json"
SUFFIXES = (".safetensors", ".bin", INDEX_SUFFIX)
FILE_SUFFIXES = (*SUFFIXES, ".gguf")
"""What the name of a weight file given by itself may end in."""
MAX_SHARDS = 10_000


class TensorFile(Protocol):
    """A file of named tensors."""

    path: Path

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor, by its name in the file."""
        ...


FileT = TypeVar("FileT", bound=TensorFile)


def find_weights(folder: Path) -> Path:
    """The weight file, or the index of several, in a folder.

    Raises: CheckpointError when there is none, or several and no way to choose.
    """
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(folder.glob("*.safetensors"))
    if len(others) == 1:
        return others[0]
    if others:
        raise CheckpointError(
            f"{folder} holds {len(others)} .safetensors files and no index; give the path of the one you mean"
        )
    raise CheckpointError(f"{folder} holds no weights; it needs model.safetensors or pytorch_model.bin")


def shard_files(weights: Path) -> list[Path]:
    """The files that hold the tensors: the weight file itself, or those its index names.

    Raises: CheckpointError when the index is damaged or a file it names is not there.
    """
    if not weights.name.endswith(INDEX_SUFFIX):
        return [weights]
    files = [weights.parent / name for name in dict.fromkeys(read_index(weights).values())]
    for file in files:
        if not file.is_file():
            raise CheckpointError(f"{file} is missing, though {weights.name} names it; fetch the model again")
    return files


def file_of_tensors(weights: Path, open_file: Callable[[Path], FileT]) -> dict[str, FileT]:
    """The file that holds each tensor, by the tensor's name there, each file opened once.

    Raises: CheckpointError when a file is damaged or missing, two hold the same tensor, or index and files disagree.
    """
    file_of: dict[str, FileT] = {}
    for path in shard_files(weights):
        file = open_file(path)
        for name in file.shapes:
            if name in file_of:
                both = f"{file_of[name].path} and {file.path}"
                raise CheckpointError(f"tensor {name!r} is in both {both}; fetch the model again")
            file_of[name] = file
    if weights.name.endswith(INDEX_SUFFIX):
        for name, file_name in read_index(weights).items():
            if name not in file_of or file_of[name].path.name != file_name:
                raise CheckpointError(
                    f"{weights} puts tensor {name!r} into {file_name}, where it is not; fetch the model again"
                )
    return file_of


def shapes_in(file_of: Mapping[str, TensorFile]) -> dict[str, Shape]:
    """The shape of each tensor in any of the files."""
    files = dict.fromkeys(file_of.values())  # each once, in their order
    return {name: shape for file in files for name, shape in file.shapes.items()}


def read_index(index: Path) -> dict[str, str]:
    """The file name of each tensor's shard, by the tensor's name.

    Raises: CheckpointError when the index is damaged, or names a file outside its own folder.
    """
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} has no 'weight_map' of tensor names to files; fetch it again")
    for name, file in weight_map.items():
        # An index comes from strangers: it may not point elsewhere on this machine.
        if not isinstance(file, str) or not file.endswith(SUFFIXES) or set(file) & set("/\\:\0"):
            raise CheckpointError(
                f"{index} puts tensor {name!r} into {file!r}; only a weight file in the same folder will do"
            )
    if len(set(weight_map.values())) > MAX_SHARDS:
        raise CheckpointError(
            f"{index} names more than {MAX_SHARDS:,} files; no GPT-2 has so many, so they are not read"
        )
    return weight_map
