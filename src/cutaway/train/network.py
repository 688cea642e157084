"""The network that a run trains, and ways to compute it with less memory or faster."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.train.block_attention import attend_in_blocks
from cutaway.train.config import TrainConfig
from cutaway.train.dense import multiply_lean
from cutaway.train.lora import adapt
from cutaway.train.sharding import laid_out_like
from cutaway.train.shorthand import SCRATCH
from cutaway.weights import load_model, load_tokenizer


def initial_model(config: TrainConfig, tokenizer: AnyTokenizer, device: torch.device) -> GPT:
    """The network before the first step: random by the seed, or the checkpoint that `init` names.

    Raises: CheckpointError when there is no such checkpoint; TrainingError when it has another vocabulary.
    """
    torch.manual_seed(config.seed)
    model = GPT(config.model)
    if config.init != SCRATCH:
        check_vocabulary(config, tokenizer)
        copy_weights(with_positions(load_model(config.init), config.model.block_size), model)
    if config.lora is not None:
        adapt(model, config.lora)
    if device.type == "cpu" and not config.model.dropout:
        attend_in_blocks(model)
        if config.lora is None and not config.compile:
            multiply_lean(model)
    if config.recompute:
        recompute_layers(model)
    return model.to(device)


def check_vocabulary(config: TrainConfig, tokenizer: AnyTokenizer) -> None:
    """Refuse data whose ids mean something else to the checkpoint that the run starts from.

    Raises: TrainingError naming both.
    """
    if load_tokenizer(config.init).fingerprint != tokenizer.fingerprint:
        raise TrainingError(
            f"{config.init!r} has another vocabulary than the data, whose tokenizer is in {config.tokenizer}; "
            f"prepare the data with --tokenizer {config.init}"
        )


@torch.no_grad()
def copy_weights(source: GPT, target: GPT) -> None:
    """Give a network the weights of another of the same shape.

    Raises: TrainingError when the shapes differ.
    """
    shapes = [{name: p.shape for name, p in model.named_parameters()} for model in (source, target)]
    if shapes[0] != shapes[1]:
        raise TrainingError("the checkpoint holds another shape of model; choose another `out`, or the same model")
    for name, parameter in target.named_parameters():
        parameter.copy_(laid_out_like(source.get_parameter(name).to(parameter.device), parameter))


def with_positions(model: GPT, count: int) -> GPT:
    """The same network with so many positions: the first of its table, begun again where it has too few.

    Where the rows begin again, neighbours are still neighbours; what is farther off has to be learned.
    Shapes: wpe (block_size, n_embd) -> (count, n_embd).
    """
    table = model.wpe.weight
    model.wpe.weight = nn.Parameter(table[torch.arange(count) % len(table)])
    return model


def recompute_layers(model: GPT) -> None:
    """Let each layer keep nothing but its input, and compute the rest again for the gradient.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
    """
    for block in model.h:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def compile_layers(model: GPT) -> None:
    """Translate each layer by itself, once for all of them, by `torch.compile`."""
    for block in model.h:
        block.forward = torch.compile(block.forward)


def compiled(hidden: Callable[..., Tensor], wanted: bool) -> Callable[..., Tensor]:
    """The function, translated by `torch.compile` if that is wanted."""
    return torch.compile(hidden) if wanted else hidden
