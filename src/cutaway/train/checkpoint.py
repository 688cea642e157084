"""What a run remembers besides its weights, in one file that is written whole or not at all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from cutaway.errors import CheckpointError, TrainingError
from cutaway.weights.safetensors_file import SafetensorsFile, write_safetensors

WEIGHTS, OPTIMIZER, NUMBERS, POSITION = "weights/", "optimizer/", "numbers/", "position"


@dataclass(frozen=True, kw_only=True)
class RunState:
    """All that a run needs to go on as if it had never stopped."""

    step: int
    elapsed_s: float
    optimizer: Mapping[str, Tensor]
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    """Those that are not in a file of their own."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Running statistics and the like."""

    def copied(self) -> Self:
        """The same, whatever becomes of the tensors from now on."""
        optimizer = {name: tensor.detach().clone() for name, tensor in self.optimizer.items()}
        weights = {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        return replace(self, optimizer=optimizer, weights=weights)


def save_run(state: RunState, path: Path) -> None:
    """Write the state in place of an earlier one, atomically.

    Raises: TrainingError when the file cannot be written.
    """
    tensors = {WEIGHTS + name: tensor for name, tensor in state.weights.items()}
    tensors |= {OPTIMIZER + name: tensor for name, tensor in state.optimizer.items()}
    # Numbers travel as tensors, too: a file then has one kind of content, and float64 holds them exactly.
    tensors |= {NUMBERS + name: torch.tensor(value, dtype=torch.float64) for name, value in state.numbers.items()}
    tensors[POSITION] = torch.tensor([state.step, state.elapsed_s], dtype=torch.float64)
    temporary = path.with_suffix(".tmp")
    try:
        write_safetensors({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
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
    return RunState(
        step=int(step),
        elapsed_s=elapsed_s,
        weights=_under(WEIGHTS, tensors),
        optimizer=_under(OPTIMIZER, tensors),
        numbers={name: tensor.item() for name, tensor in _under(NUMBERS, tensors).items()},
    )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
