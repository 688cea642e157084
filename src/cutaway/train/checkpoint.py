"""A run on disk: weights, optimizer and position in one file that is replaced whole or not at all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cutaway.errors import CheckpointError, TrainingError
from cutaway.weights.safetensors_file import SafetensorsFile, write_safetensors

WEIGHTS, OPTIMIZER, POSITION = "weights/", "optimizer/", "position"


@dataclass(frozen=True, kw_only=True)
class RunState:
    """All that a run needs to go on as if it had never stopped."""

    step: int
    elapsed_s: float
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


def save_run(state: RunState, path: Path) -> None:
    """Write the state in place of an earlier one, atomically.

    Raises: TrainingError when the file cannot be written.
    """
    tensors = {WEIGHTS + name: tensor for name, tensor in state.weights.items()}
    tensors |= {OPTIMIZER + name: tensor for name, tensor in state.optimizer.items()}
    # Numbers travel as a tensor, too: a file then has one kind of content, and float64 holds both exactly.
    tensors[POSITION] = torch.tensor([state.step, state.elapsed_s], dtype=torch.float64)
    temporary = path.with_suffix(".tmp")
    try:
        write_safetensors(tensors, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise TrainingError(
            f"the run cannot be saved to {path}: {error}; the state saved before is unchanged"
        ) from None


def load_run(path: Path) -> RunState:
    """Read a saved state.

    Raises: TrainingError when the file is damaged or something else.
    """
    try:
        file = SafetensorsFile(path)
        tensors = {name: file.tensor(name, None, torch.device("cpu")) for name in file.shapes}
    except CheckpointError as error:
        raise TrainingError(f"the saved run cannot be read: {error}; or delete it to start anew") from None
    if POSITION not in tensors or tensors[POSITION].shape != (2,):
        raise TrainingError(f"{path} is not a saved run; move it away to start anew")
    step, elapsed_s = tensors[POSITION].tolist()
    weights, optimizer = _under(WEIGHTS, tensors), _under(OPTIMIZER, tensors)
    return RunState(step=int(step), elapsed_s=elapsed_s, weights=weights, optimizer=optimizer)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
