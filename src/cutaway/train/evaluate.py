"""How well a model predicts text it has never seen, in bits per byte."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.tokenizer import Tokenizer


def token_bytes(tokenizer: Tokenizer) -> Tensor:
    """How many bytes of text each token stands for: special tokens, which no text holds, for none.

    Shapes: -> (V,)
    """
    special = tokenizer.special_tokens.values()
    return torch.tensor([0 if i in special else len(token) for i, token in enumerate(tokenizer.vocabulary.tokens)])


@torch.no_grad()
def bits_per_byte(model: GPT, tokens: NDArray[np.uint16], sizes: Tensor, windows: int | None = None) -> float:
    """Bits to encode a byte of the text, read in windows of the model's context with nothing known before each.

    Every token but the very first is predicted once. With `windows`, only so many, evenly spread, are read.

    Raises: TrainingError when there is nothing to predict.
    """
    block_size = model.config.block_size
    starts = list(range(0, len(tokens) - 1, block_size))
    if windows is not None:
        starts = starts[:: max(1, len(starts) // windows)][:windows]
    nats, size = 0.0, 0
    for start in starts:
        block = torch.from_numpy(tokens[start : start + block_size + 1].astype(np.int64))
        logits, _ = model(block[None, :-1])
        nats += F.cross_entropy(logits[0], block[1:], reduction="sum").item()
        size += int(sizes[block[1:]].sum())
    if not size:
        raise TrainingError(f"{len(tokens):,} tokens hold no text to predict; give a longer held-out file")
    return nats / math.log(2) / size
