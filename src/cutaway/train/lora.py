"""Fine-tuning by small additions: the weights stay, and beside each matrix a product of two thin ones is learned.

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from cutaway.errors import ConfigError, TrainingError
from cutaway.model import GPT
from cutaway.train.config import LoRAConfig
from cutaway.weights.safetensors_file import SafetensorsFile, write_safetensors

ADAPTER = "adapter.safetensors"


class AdaptedLinear(nn.Linear):
    """A layer that keeps its weights, and what is added to them: `alpha / rank` times `lora_b @ lora_a`."""

    def __init__(self, linear: nn.Linear, config: LoRAConfig) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.scale = config.alpha / config.rank
        self.lora_a = nn.Parameter(linear.weight.new_empty(config.rank, linear.in_features))
        # Nothing is added at first; the gradient reaches b through a, so only one of them may be zero.
        self.lora_b = nn.Parameter(linear.weight.new_zeros(linear.out_features, config.rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """The layer with its addition, without ever forming the product."""
        return super().forward(x) + (x @ self.lora_a.T) @ self.lora_b.T * self.scale

    def merged(self) -> nn.Linear:
        """A plain layer that does the same."""
        with torch.no_grad():
            self.weight += self.scale * self.lora_b @ self.lora_a
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        plain.weight, plain.bias = self.weight, self.bias
        return plain


def adapt(model: GPT, config: LoRAConfig) -> None:
    """Freeze the model and give the layers of the configured names something to learn.

    Raises: ConfigError when no layer has such a name.
    """
    model.requires_grad_(False)
    for name in config.targets:
        found = [path for path, module in model.named_modules() if path.endswith(f".{name}") and is_linear(module)]
        if not found:
            raise ConfigError(f"lora.targets has {name!r}, which no layer is called; choose c_attn, c_proj or c_fc")
        for path in found:
            replace(model, path, AdaptedLinear(model.get_submodule(path), config))  # type: ignore[arg-type]


def merge(model: GPT) -> None:
    """Add to the weights what was learned beside them, and leave plain layers behind."""
    for path, module in list(model.named_modules()):
        if isinstance(module, AdaptedLinear):
            replace(model, path, module.merged())


def adapter(model: GPT) -> Iterator[tuple[str, nn.Parameter]]:
    """What is learned, by name."""
    return ((name, parameter) for name, parameter in model.named_parameters() if "lora_" in name)


def write_adapter(model: GPT, folder: Path) -> None:
    """Write what was learned, without the weights beside it, into a new folder.

    Raises: OSError when the disk is full or the folder cannot be written.
    """
    folder.mkdir()
    write_safetensors({name: p.detach().cpu() for name, p in adapter(model)}, folder / ADAPTER)
    with (folder / ADAPTER).open("rb+") as stream:
        os.fsync(stream.fileno())


@torch.no_grad()
def read_adapter(folder: Path, model: GPT) -> None:
    """Give an adapted model what `write_adapter` wrote.

    Raises: TrainingError when it belongs to another model; CheckpointError when it is missing or damaged.
    """
    file = SafetensorsFile(folder / ADAPTER)
    parameters = dict(adapter(model))
    if dict(file.shapes) != {name: tuple(p.shape) for name, p in parameters.items()}:
        raise TrainingError(f"{folder / ADAPTER} does not fit this model and these lora settings; choose another `out`")
    for name, parameter in parameters.items():
        parameter.copy_(file.tensor(name, None, torch.device("cpu")))


def has_adapter(folder: Path) -> bool:
    """Whether a checkpoint holds an adapter instead of a model."""
    return (folder / ADAPTER).is_file()


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a plain layer."""
    return isinstance(module, nn.Linear)


def replace(model: GPT, path: str, module: nn.Module) -> None:
    """Put another module in a place of the network."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
