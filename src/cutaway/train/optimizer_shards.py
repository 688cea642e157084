"""What the optimizers remember of sharded weights, in a file from each process: `torch.distributed.checkpoint`.

Another number of processes can read it, even a single one: each takes from the files what lies in its own shards.

PyTorch's usual storage describes the files in a pickle, which whoever opens the checkpoint would execute. So the
storage here is the one for safetensors, where each file's header says which part of which tensor it holds.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, distributed

from cutaway.errors import TrainingError


def write_shards(state: Mapping[str, Tensor], folder: Path) -> None:
    """Write this process's share into a folder that all of them write to, forced onto the disk.

    Raises: TrainingError when any process cannot write its own.
    """
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    # One thread: the shares of a process are one file.
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True, thread_count=1)
    try:
        save(dict(state), storage_writer=writer)
    except CheckpointException as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise TrainingError(f"the optimizer's shares cannot be written to {folder}: {reasons(error)}") from None


def read_shards(folder: Path, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `write_shards` wrote, laid out as the parameters are now.

    Raises: TrainingError when a file is damaged, or belongs to another model.
    """
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    reader = HuggingFaceStorageReader(str(folder))
    try:
        found = reader.read_metadata().state_dict_metadata
        state = {key: place_for(key, entry, parameters, folder) for key, entry in found.items()}
        load(state, storage_reader=reader, no_dist=not distributed.is_initialized())
    except CheckpointException as error:
        raise TrainingError(f"the optimizer's shares in {folder} cannot be read: {reasons(error)}") from None
    return state


def place_for(key: str, entry: object, parameters: Mapping[str, Tensor], folder: Path) -> Tensor:
    """Memory for an entry: like its parameter, or a number.

    Raises: TrainingError when there is no such parameter, or it has another shape.
    """
    name = key.rpartition(":")[0]
    size = tuple(getattr(entry, "size", (-1,)))
    if not size:
        return torch.zeros(())
    if name not in parameters or size != tuple(parameters[name].shape):
        raise TrainingError(f"{folder} remembers {name!r} of shape {size}, which this model does not have")
    return torch.zeros_like(parameters[name].detach())


def reasons(error: BaseException) -> str:
    """What went wrong, without the tracebacks of every process."""
    failures = getattr(error, "failures", {})
    return "; ".join(sorted({str(failure) for failure, _ in failures.values()})) or type(error).__name__
