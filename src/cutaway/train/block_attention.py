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
        """Attend. What comes out lies in memory as (B, T, H, D), so that its heads are side by side without a copy.

        Shapes: q, k, v (B, H, T, D) -> (B, H, T, D)
        """
        qkv = torch.stack((q, k, v)).flatten(1, 2)
        # Here, and not at the scores, which are more numbers and made twice.
        qkv[0] *= 1 / math.sqrt(q.shape[-1])
        out = side_by_side(q)
        for start, stop in blocks(q):
            z = pattern_of(qkv[0], qkv[1], start, stop) @ qkv[2, :, :stop]
            out[:, :, start:stop] = z.view_as(q[:, :, start:stop])
        ctx.save_for_backward(qkv)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients by queries, keys and values."""
        q, k, v = ctx.saved_tensors[0]
        dq, dk, dv = (side_by_side(grads[0]).zero_() for _ in range(3))
        for start, stop in blocks(grads[0]):
            pattern, dout = pattern_of(q, k, start, stop), grads[0][:, :, start:stop].flatten(0, 1)
            past = dk[:, :, :stop]
            dv[:, :, :stop] += (pattern.mT @ dout).view_as(past)
            dscores = torch._softmax_backward_data(dout @ v[:, :stop].mT, pattern, -1, pattern.dtype)
            dq[:, :, start:stop] = (dscores @ k[:, :stop]).view_as(dq[:, :, start:stop])
            past += (dscores.mT @ q[:, start:stop]).view_as(past)
        return dq.mul_(1 / math.sqrt(q.shape[-1])), dk, dv


def side_by_side(x: Tensor) -> Tensor:
    """Memory like that of `x`, in which the heads of a position are neighbours.

    Shapes: x (B, H, T, D) -> the same
    """
    return x.new_empty(x.transpose(1, 2).shape).transpose(1, 2)


def pattern_of(q: Tensor, k: Tensor, start: int, stop: int) -> Tensor:
    """How much the queries of a block, divided by √D, look at each key up to the block's end.

    Shapes: q, k (N, T, D) -> (N, stop - start, stop)
    """
    scores = q[:, start:stop] @ k[:, :stop].mT
    # Adding takes a quarter of the time of `masked_fill_`.
    scores[:, :, start:] += scores.new_full((stop - start, stop - start), -torch.inf).triu(1)
    return scores.softmax(dim=-1)


def blocks(q: Tensor) -> list[tuple[int, int]]:
    """Where each block of queries starts and stops.

    Shapes: q (B, H, T, D)
    """
    length, size = q.shape[2], BLOCK_BYTES // q.element_size()
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def block_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, block by block.

    Shapes: (B, H, T, D) -> (B, H, T, D)
    """
    with torch.autocast(q.device.type, enabled=False):
        return BlockAttention.apply(q, k, v)  # type: ignore[no-any-return,no-untyped-call]


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
