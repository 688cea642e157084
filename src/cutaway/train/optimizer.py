"""Who updates which weight: Muon the matrices inside the layers, AdamW everything else."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from cutaway.errors import TrainingError
from cutaway.train.config import OptimizerConfig

# This quintic brings every singular value near 1 in five steps: Jordan et al. chose it to be steep at zero.
QUINTIC = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5

Each = Callable[[Callable[[Tensor], None], Iterable[Tensor]], Iterable[None]]
"""`map`, or the `map` of workers that take several weights at once."""


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


class Muon(Optimizer):
    """Momentum whose update is made orthogonal, so that rare directions learn as fast as common ones.

    `torch.optim.Muon` rounds to bfloat16 on the way, which is fast on a GPU and very slow on most CPUs; this one
    stays in the weights' own precision. A group's `stacked` says how many matrices lie in each weight.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float, each: Each = map) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "stacked": 1})
        self.each = each

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            deque(self.each(partial(self._update, group), weights), maxlen=0)

    @torch.no_grad()
    def _update(self, group: dict[str, Any], weight: Tensor) -> None:
        assert weight.grad is not None
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
        ahead = weight.grad.lerp(momentum, group["momentum"])
        matrices = ahead.view(group["stacked"], -1, weight.shape[1])
        # A tall matrix needs the longer step to change what comes out of it as much as a square one does.
        size = group["lr"] * max(1.0, matrices.shape[-2] / matrices.shape[-1]) ** 0.5
        weight.add_(orthogonalized(matrices).reshape(weight.shape), alpha=-size)


class Optimizers:
    """Both optimizers as one, whose state has names."""

    def __init__(self, model: nn.Module, config: OptimizerConfig, each: Each = map) -> None:
        self.parameters = dict(model.named_parameters())
        hidden = {name: p for name, p in self.parameters.items() if name.startswith("h.") and p.ndim == 2}
        # c_attn is three matrices, for queries, keys and values, and each is made orthogonal by itself.
        fused = [p for name, p in hidden.items() if name.endswith("c_attn.weight")]
        single = [p for name, p in hidden.items() if not name.endswith("c_attn.weight")]
        others = [p for name, p in self.parameters.items() if name not in hidden]
        groups: list[dict[str, Any]] = [{"params": fused, "stacked": 3}, {"params": single}]
        muon = Muon(groups, config.muon_lr, config.momentum, each)
        adamw = AdamW(others, config.adamw_lr, (config.beta1, config.beta2), weight_decay=0.0)
        self.optimizers: tuple[Optimizer, ...] = (muon, adamw)
        self.peaks = [(group, group["lr"]) for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_learning_rate(self, scale: float) -> None:
        """Set every learning rate to this share of its peak."""
        for group, peak in self.peaks:
            group["lr"] = scale * peak

    def step(self) -> None:
        """Update all weights and forget their gradients."""
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """What the optimizers remember of each weight, named `<weight>:<what>`."""
        return {
            f"{name}:{what}": value
            for optimizer in self.optimizers
            for name, parameter in self.parameters.items()
            for what, value in optimizer.state.get(parameter, {}).items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Remember again what `state` returned.

        Raises: TrainingError when it belongs to another model.
        """
        owners = {p: o for o in self.optimizers for group in o.param_groups for p in group["params"]}
        for key, value in state.items():
            name, _, what = key.rpartition(":")
            if name not in self.parameters:
                raise TrainingError(f"the saved optimizer remembers {name!r}, which this model does not have")
            parameter = self.parameters[name]
            owners[parameter].state[parameter][what] = value.clone()
