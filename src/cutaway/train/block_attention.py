"""Causal attention for training on a CPU: blocks of queries that never meet the keys after them."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cutaway.model import GPT, Attention, Observer

BLOCK_BYTES = 256
"""Queries at a time, times the bytes of a number: few enough for their scores to stay in a core's cache."""


class BlockAttention(torch.autograd.Function):
    """softmax(q kᵀ / √D) v, causal, in plain matrix products, of which about half are left out.

    On CPUs this takes three quarters of the fused kernel's time in float32 and half of it in bfloat16. Like there, the
    patterns are not kept for the way back but made again, so memory grows with T, not with its square.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend.

        Shapes: q, k, v (N, T, D) -> (N, T, D)
        """
        out = torch.empty_like(q)
        for start, stop in blocks(q):
            torch.bmm(pattern_of(q, k, start, stop), v[:, :stop], out=out[:, start:stop])
        ctx.save_for_backward(q, k, v)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients by queries, keys and values."""
        q, k, v = ctx.saved_tensors
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for start, stop in blocks(q):
            pattern, dout = pattern_of(q, k, start, stop), grads[0][:, start:stop]
            dv[:, :stop] += pattern.mT @ dout
            dscores = torch._softmax_backward_data(dout @ v[:, :stop].mT, pattern, -1, pattern.dtype)
            dscores.mul_(1 / math.sqrt(q.shape[-1]))
            torch.bmm(dscores, k[:, :stop], out=dq[:, start:stop])
            dk[:, :stop] += dscores.mT @ q[:, start:stop]
        return dq, dk, dv


def pattern_of(q: Tensor, k: Tensor, start: int, stop: int) -> Tensor:
    """How much the queries of a block look at each key up to the block's end.

    Shapes: q, k (N, T, D) -> (N, stop - start, stop)
    """
    scores = (q[:, start:stop] @ k[:, :stop].mT).mul_(1 / math.sqrt(q.shape[-1]))
    future = torch.ones(stop - start, stop - start, dtype=torch.bool).triu(1)
    scores[:, :, start:].masked_fill_(future, -torch.inf)
    return scores.softmax(dim=-1)


def blocks(q: Tensor) -> list[tuple[int, int]]:
    """Where each block of queries starts and stops.

    Shapes: q (N, T, D)
    """
    length, size = q.shape[1], BLOCK_BYTES // q.element_size()
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def block_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, block by block.

    Shapes: (B, H, T, D) -> (B, H, T, D)
    """
    with torch.autocast(q.device.type, enabled=False):
        flat = BlockAttention.apply(*(x.flatten(0, 1) for x in (q, k, v)))  # type: ignore[no-untyped-call]
    return flat.view_as(q)  # type: ignore[no-any-return]


def attend_in_blocks(model: GPT) -> None:
    """Let every layer attend block by block where gradients are wanted and nothing but the future is hidden."""
    for layer in model.modules():
        if isinstance(layer, Attention):
            layer.attend = partial(attend, layer.attend)  # type: ignore[method-assign]


def attend(
    otherwise: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, observer: Observer | None
) -> Tensor:
    """Attend block by block, or as the model does otherwise."""
    if mask is None and observer is None and torch.is_grad_enabled() and q.shape == k.shape:
        return block_attention(q, k, v)
    return otherwise(q, k, v, mask, observer)
