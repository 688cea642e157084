"""An optimizer for any weight."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from cutaway.train.update_rule import Group, UpdateRule


class AdamW(UpdateRule):
    """Each number takes a step of about the learning rate, whatever the size of its gradients; decay is apart.

    PyTorch's fused kernel reads and writes everything once. What is remembered has its memory from the beginning, so
    that it does not end up among what comes and goes in the first step.

    Source: Loshchilov and Hutter 2017, "Decoupled Weight Decay Regularization".
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, lr=lr, beta1=betas[0], beta2=betas[1], weight_decay=0.0)
        for weight in (weight for group in self.param_groups for weight in group["params"]):
            self.state[weight] = {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight.detach()),
                "exp_avg_sq": torch.zeros_like(weight.detach()),
            }

    @torch.no_grad()
    def update(self, group: Group, weights: list[Tensor]) -> None:
        """Update these weights of a group."""
        if not weights:
            return
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
