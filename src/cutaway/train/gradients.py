"""The gradient of a batch, added up from its parts."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cutaway.train.workers import Workers

Part = tuple[Tensor, ...]
"""Some rows of a batch: idx, targets and, by document, documents."""
LossOf = Callable[[Part], Tensor]


def set_gradients(
    loss_of: LossOf, parameters: Sequence[nn.Parameter], parts: Sequence[Part], workers: Workers, scale: float = 1.0
) -> Tensor:
    """Set every parameter's gradient to that of the parts' mean loss, and return that loss, in nats per token.

    The losses are multiplied by `scale` for the way back, and the gradients divided by it again: in float16 small
    gradients would vanish otherwise.

    Shapes: -> ()
    """
    share = scale / len(parts)
    add_up = side_by_side if workers.side_by_side else one_by_one
    loss = add_up(loss_of, parameters, parts, workers, share) / len(parts)
    if scale != 1:
        torch._foreach_div_([parameter.grad for parameter in parameters if parameter.grad is not None], scale)
    return loss


def one_by_one(
    loss_of: LossOf, parameters: Sequence[nn.Parameter], parts: Sequence[Part], workers: Workers, share: float
) -> Tensor:
    """Add up the gradients in place, part after part; the sum of the losses."""
    total = torch.zeros((), device=parameters[0].device)
    for part in parts:
        loss = loss_of(part)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        total = total + loss.detach()
    return total


def side_by_side(
    loss_of: LossOf, parameters: Sequence[nn.Parameter], parts: Sequence[Part], workers: Workers, share: float
) -> Tensor:
    """Let workers take a part each and add up what they bring; the sum of the losses."""

    def gradients(part: Part) -> tuple[Tensor, tuple[Tensor, ...]]:
        loss = loss_of(part)
        return loss.detach(), torch.autograd.grad(loss * share, parameters)

    total = torch.zeros(())
    for loss, grads in workers.map(gradients, parts):
        total = total + loss
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad if parameter.grad is None else parameter.grad.add_(grad)
    return total
