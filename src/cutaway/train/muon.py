"""An optimizer for the matrices inside the layers."""

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cutaway.train.sharding import laid_out_like, whole
from cutaway.train.update_rule import Each, Group, UpdateRule

# This quintic brings every singular value near 1 in five steps: Jordan et al. chose it to be steep at zero.
QUINTIC = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


def orthogonalized(matrices: Tensor) -> Tensor:
    """The nearest matrices, roughly, whose singular values are all 1.

    Shapes: (…, rows, columns) -> the same

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
    """
    a, b, c = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x  # type: ignore[no-any-return]


class Muon(UpdateRule):
    """Momentum whose update is made orthogonal, so that rare directions learn as fast as common ones.

    `torch.optim.Muon` rounds to bfloat16 on the way, which is fast on a GPU and very slow on most CPUs; this one
    does so on GPUs only. A group's `stacked` says how many matrices lie in each weight.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        momentum: float,
        each: Each = map,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(groups, lr=lr, momentum=momentum, stacked=1, weight_decay=weight_decay)
        self.each = each

    def update(self, group: Group, weights: list[Tensor]) -> None:
        """Update these weights of a group, each by itself."""
        deque(self.each(partial(self._update, group), weights), maxlen=0)

    @torch.no_grad()
    def _update(self, group: Group, weight: Tensor) -> None:
        assert weight.grad is not None
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
        # An orthogonal matrix is made of a whole one. Where weights are sharded, each process makes all of it and takes
        # its share: that costs a hundredth of the step, and sending it around would cost more.
        ahead = whole(weight.grad.lerp(momentum, group["momentum"]))
        matrices = ahead.view(group["stacked"], -1, weight.shape[1])
        # A tall matrix needs the longer step to change what comes out of it as much as a square one does.
        size = group["lr"] * max(1.0, matrices.shape[-2] / matrices.shape[-1]) ** 0.5
        update = orthogonalized(matrices.bfloat16() if weight.is_cuda else matrices).to(weight.dtype)
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(laid_out_like(update.reshape(weight.shape), weight), alpha=-size)
