"""The loss without the logits: the head and the cross-entropy together, a few tokens at a time."""

from typing import Any

import torch
from torch import Tensor

from cutaway.model import IGNORED_TARGET
from cutaway.train.dense import linear

CHUNK = 512
"""Tokens at a time, at most: with a small vocabulary their logits fit a CPU's cache."""
CHUNK_LOGITS = 1 << 23
"""And at most so many logits, 32 MB: with a large vocabulary they would be the largest thing in memory."""
SLICE = 8192
"""Rows of the head's gradient at a time."""
GPU_CHUNK = 8192
"""Tokens at a time on a GPU, which needs more to be busy."""


class HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of `hidden @ weight.T`, which is never there as a whole.

    All logits of a batch are by far its largest tensor. Here each chunk's are made, turned into their own gradient in
    place, and used up. So the gradients are known when the loss is, and backward only hands them out.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        """The loss; the multiplications are computed in `dtype`, everything else in the inputs' own.

        Shapes: hidden (N, C), weight (V, C), targets (N,) -> ()
        """
        loss = hidden.new_zeros(())
        hidden_grad, weight_grad = torch.empty_like(hidden), torch.zeros_like(weight)
        head = weight.to(dtype)
        size = GPU_CHUNK if hidden.is_cuda else min(CHUNK, max(1, CHUNK_LOGITS // len(weight)))
        for x, grad, target in zip(*(torch.split(rows, size) for rows in (hidden, hidden_grad, targets)), strict=True):
            x = x.to(dtype)
            logits = linear(x, head).to(hidden.dtype)
            loss += become_gradient(logits, target)
            factor = logits.to(dtype)
            del logits
            grad.copy_(linear(factor, head.T))
            if ctx.needs_input_grad[1]:
                add_product(weight_grad, factor, x)
            del factor  # there is room for one chunk, not for the next one besides
        n = (targets != IGNORED_TARGET).sum().clamp(min=1)
        # Not `save_for_backward`: these are nobody's inputs, and backward uses them up where they lie.
        ctx.sums = hidden_grad, weight_grad, n
        return loss / n

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """The gradients by hidden states and weight, once."""
        hidden_grad, weight_grad, n = ctx.sums
        del ctx.sums
        share = grads[0] / n
        return hidden_grad.mul_(share), weight_grad.mul_(share), None, None


class GradientLast(torch.autograd.Function):
    """A weight as it is, whose gradient from here comes after those of all that uses the weight later.

    A tied weight gets the whole gradient of the head and the few rows of the embedding's. PyTorch adds these in place
    only if the whole one comes last; otherwise it makes another as large as the weight.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        """The same numbers in the same place."""
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """The same gradient."""
        return grads[0]


def add_product(total: Tensor, factor: Tensor, x: Tensor) -> None:
    """Add `factor.T @ x`, where formats differ some rows at a time: as a whole, product and its copy would be large.

    Shapes: total (V, C), factor (N, V), x (N, C)
    """
    if total.dtype == x.dtype:
        total.addmm_(factor.T, x)
        return
    for rows, columns in zip(torch.split(total, SLICE), torch.split(factor, SLICE, dim=1), strict=True):
        rows += columns.T @ x


def become_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Turn logits into the gradient of the summed cross-entropy by them, and return that sum.

    Shapes: logits (N, V), targets (N,) -> ()
    """
    kept = (targets != IGNORED_TARGET)[:, None]
    targets = targets[:, None].where(kept, 0)
    logits -= logits.amax(dim=1, keepdim=True)
    chosen = logits.gather(1, targets)
    normalizer = logits.exp_().sum(dim=1, keepdim=True)
    # Probabilities, minus one at the target; nothing where there is none.
    logits /= normalizer
    logits.scatter_add_(1, targets, torch.full_like(chosen, -1.0))
    logits *= kept
    return ((normalizer.log() - chosen) * kept).sum()


def head_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, of the tokens after each position; targets of -100 are left out.

    Under autocast the multiplications are computed in its number format.

    Shapes: hidden (B, T, C), weight (V, C), targets (B, T) -> ()
    """
    kind = hidden.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
    with torch.autocast(kind, enabled=False):
        rows = hidden.flatten(0, 1).to(weight.dtype)
        return HeadLoss.apply(rows, weight, targets.flatten(), dtype)  # type: ignore[no-any-return,no-untyped-call]


def gradient_last(weight: Tensor) -> Tensor:
    """The weight, for a head that is asked for it before the embedding is."""
    return GradientLast.apply(weight)  # type: ignore[no-any-return,no-untyped-call]
