"""The loss without the logits: the head and the cross-entropy together, a few tokens at a time."""

from typing import Any

import torch
from torch import Tensor

CHUNK = 512
"""Tokens at a time: their logits should fit a CPU's cache."""


class HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of `hidden @ weight.T`, which is never there as a whole.

    All logits of a batch are by far its largest tensor. Here each chunk's are made, turned into their own gradient in
    place, and used up. So the gradients are known when the loss is, and backward only hands them out.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """The loss.

        Shapes: hidden (N, C), weight (V, C), targets (N,) -> ()
        """
        loss = hidden.new_zeros(())
        hidden_grad, weight_grad = torch.empty_like(hidden), torch.zeros_like(weight)
        chunks = zip(*(torch.split(rows, CHUNK) for rows in (hidden, hidden_grad, targets)), strict=True)
        for x, grad, target in chunks:
            logits = x @ weight.T
            logits -= logits.amax(dim=1, keepdim=True)
            chosen = logits.gather(1, target[:, None])
            normalizer = logits.exp_().sum(dim=1, keepdim=True)
            loss += (normalizer.log() - chosen).sum()
            # The gradient by the logits: probabilities, minus one at the target.
            logits /= normalizer
            logits.scatter_add_(1, target[:, None], torch.full_like(chosen, -1.0))
            torch.mm(logits, weight, out=grad)
            weight_grad.addmm_(logits.T, x)
        n = len(targets)
        ctx.save_for_backward(hidden_grad.div_(n), weight_grad.div_(n))
        return loss / n

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        """The gradients by hidden states and weight."""
        hidden_grad, weight_grad = ctx.saved_tensors
        return hidden_grad * grads[0], weight_grad * grads[0], None


def head_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, of the tokens after each position.

    Shapes: hidden (B, T, C), weight (V, C), targets (B, T) -> ()
    """
    return HeadLoss.apply(hidden.flatten(0, 1), weight, targets.flatten())  # type: ignore[no-any-return,no-untyped-call]
