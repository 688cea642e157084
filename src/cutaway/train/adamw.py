"""An optimizer for any weight."""

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cutaway.train.update_rule import Each, Group, UpdateRule

TOGETHER = 16
"""Weights that are updated at a time: enough for a GPU, and several times that for several workers."""


class AdamW(UpdateRule):
    """Each number takes a step of about the learning rate, whatever the size of its gradients; decay is apart.

    PyTorch's fused kernel reads and writes everything once. What is remembered has its memory from the beginning, so
    that it does not end up among what comes and goes in the first step.

    Source: Loshchilov and Hutter 2017, "Decoupled Weight Decay Regularization".
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float], each: Each = map
    ) -> None:
        super().__init__(groups, lr=lr, beta1=betas[0], beta2=betas[1], weight_decay=0.0)
        self.each = each
        for weight in (weight for group in self.param_groups for weight in group["params"]):
            self.state[weight] = {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight.detach()),
                "exp_avg_sq": torch.zeros_like(weight.detach()),
            }

    def update(self, group: Group, weights: list[Tensor]) -> None:
        """Update these weights of a group, some at a time."""
        pieces = (weights[start : start + TOGETHER] for start in range(0, len(weights), TOGETHER))
        deque(self.each(partial(self._update, group), pieces), maxlen=0)

    @torch.no_grad()
    def _update(self, group: Group, weights: list[Tensor]) -> None:
        grads = [weight.grad for weight in weights if weight.grad is not None]
        steps, means, squares = (
            [self.state[weight][what] for weight in weights] for what in ("step", "exp_avg", "exp_avg_sq")
        )
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            weights,
            grads,
            means,
            squares,
            [],
            steps,
            lr=group["lr"],
            beta1=group["beta1"],
            beta2=group["beta2"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
