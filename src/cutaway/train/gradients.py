"""The gradient of a batch, its parts worked on side by side."""

import math

import torch
from torch import Tensor

from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.train.head_loss import head_loss
from cutaway.train.workers import Workers


def set_gradients(model: GPT, idx: Tensor, targets: Tensor, micro_rows: int, workers: Workers) -> float:
    """Set every parameter's gradient to that of the batch's mean loss, and return the loss in nats per token.

    Shapes: idx, targets (B, T), B a multiple of `micro_rows`

    Raises: TrainingError when the loss is no number any more.
    """
    parameters = list(model.parameters())

    def gradients(part: tuple[Tensor, Tensor]) -> tuple[float, tuple[Tensor, ...]]:
        idx, targets = part
        loss = head_loss(model.hidden(idx), model.lm_head.weight, targets)
        return loss.item(), torch.autograd.grad(loss, parameters)

    parts = list(zip(torch.split(idx, micro_rows), torch.split(targets, micro_rows), strict=True))
    mean_loss = 0.0
    for loss, grads in workers.map(gradients, parts):
        mean_loss += loss / len(parts)
        for parameter, grad in zip(parameters, grads, strict=True):
            share = grad / len(parts)
            parameter.grad = share if parameter.grad is None else parameter.grad.add_(share)
    if not math.isfinite(mean_loss):
        raise TrainingError(f"the loss became {mean_loss}; go on from the last checkpoint with lower learning rates")
    return mean_loss
