"""How well a model predicts text it has never seen."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cutaway.data import Tokens
from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.train.processes import ALONE, Processes

BATCH_TOKENS = 8192
"""Read together: enough to keep a GPU busy."""
HEAD_TOKENS = 1024
"""Whose logits are there together: those of more would take gigabytes."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a model needed to predict a text."""

    loss: float
    """In nats per token."""
    bits_per_byte: float


def token_bytes(tokenizer: AnyTokenizer) -> Tensor:
    """How many bytes of text each token stands for: special tokens, which no text holds, for none.

    Shapes: -> (V,)
    """
    special = tokenizer.special_tokens.values()
    return torch.tensor([0 if i in special else len(tokenizer.token_bytes(i)) for i in range(tokenizer.n_vocab)])


def bits_per_byte(model: GPT, tokens: Tokens | NDArray[np.uint16], sizes: Tensor, windows: int | None = None) -> float:
    """Bits to encode a byte of the text, read as `evaluate` does.

    Raises: TrainingError when there is nothing to predict.
    """
    return evaluate(model, tokens, sizes, windows).bits_per_byte


@torch.no_grad()
def evaluate(
    model: GPT,
    tokens: Tokens | NDArray[np.uint16],
    sizes: Tensor,
    windows: int | None = None,
    *,
    processes: Processes = ALONE,
    loss_of: Callable[[Tensor, Tensor], float] | None = None,
) -> Evaluation:
    """Loss and bits per byte of a text, read in windows of the model's context with nothing known before each.

    Every token but the very first is predicted once. With `windows`, only so many, evenly spread, are read. Several
    processes take turns. `loss_of` sums up the loss of some rows in place of the model's own `summed_loss`.

    Raises: TrainingError when there is nothing to predict.
    """
    text = tokens if isinstance(tokens, Tokens) else Tokens.of(tokens)
    nats, count, size = 0.0, 0.0, 0.0
    loss_of = loss_of or partial(summed_loss, model)
    for block, counts in turns(blocks(text, model.config.block_size, windows), processes):
        targets = block[:, 1:]
        loss = loss_of(block[:, :-1].to(model.device), targets.to(model.device))
        if counts:
            nats += loss
            count += targets.numel()
            size += int(sizes[targets].sum())
    nats, count, size = processes.sum(nats, count, size)
    if not size:
        raise TrainingError(f"{len(tokens):,} tokens hold no text to predict; give a longer held-out text")
    return Evaluation(loss=nats / count, bits_per_byte=nats / math.log(2) / size)


def turns(every: Iterable[Tensor], processes: Processes) -> Iterator[tuple[Tensor, bool]]:
    """The blocks that this process reads, and whether each counts.

    In the last round there may be too few. Then some read the first of them once more, for nothing: sharded weights
    are brought together by all at the same time.
    """
    together: list[Tensor] = []
    for block in every:
        together.append(block)
        if len(together) == processes.world_size:
            yield together[processes.rank], True
            together = []
    if together:
        counts = processes.rank < len(together)
        yield together[processes.rank if counts else 0], counts


def summed_loss(model: GPT, idx: Tensor, targets: Tensor) -> float:
    """The cross-entropy of all tokens together, in nats.

    Shapes: idx, targets (B, T)
    """
    hidden = model.hidden(idx).flatten(0, 1)
    nats = 0.0
    for x, target in zip(torch.split(hidden, HEAD_TOKENS), torch.split(targets.flatten(), HEAD_TOKENS), strict=True):
        nats += F.cross_entropy(model.lm_head(x).to(model.dtype), target, reduction="sum").item()
    return nats


def blocks(tokens: Tokens, block_size: int, windows: int | None) -> Iterator[Tensor]:
    """Windows of the text, several at a time as long as they are whole, each with the token after it.

    Shapes: -> (B, T + 1)
    """
    starts = list(range(0, len(tokens) - 1, block_size))
    if windows is not None:
        starts = starts[:: max(1, len(starts) // windows)][:windows]
    rows = max(1, BATCH_TOKENS // block_size)
    whole = [start for start in starts if start + block_size < len(tokens)]
    for first in range(0, len(whole), rows):
        together = [tokens.read(start, start + block_size + 1) for start in whole[first : first + rows]]
        yield torch.from_numpy(np.stack(together))
    if len(whole) < len(starts):
        yield torch.from_numpy(tokens.read(starts[-1], len(tokens)))[None]
