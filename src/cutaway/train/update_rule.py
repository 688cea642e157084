"""What an optimizer is: groups of weights, and what is remembered of each from step to step."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

Group = dict[str, Any]
Each = Callable[[Callable[[Any], None], Iterable[Any]], Iterable[None]]
"""`map`, or the `map` of workers that update several weights at once."""


class UpdateRule(ABC):
    """Weights in groups, each with a learning rate and whatever else its rule goes by.

    What `torch.optim.Optimizer` is to a training loop. But that one loads `torch.compile`, only to mark methods as not
    for compiling, which takes 80 MB and a second or two.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], **defaults: float) -> None:
        self.param_groups: list[Group] = [{**defaults, **group} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = defaultdict(dict)

    def step(self) -> None:
        """Update every weight that has a gradient, and forget that."""
        for group in self.param_groups:
            self.update(group, [weight for weight in group["params"] if weight.grad is not None])
        self.forget_gradients()

    @abstractmethod
    def update(self, group: Group, weights: list[Tensor]) -> None:
        """Update these weights of a group, all of which have gradients."""

    def forget_gradients(self) -> None:
        """Leave the weights as they are."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None
