"""What a matrix reads: the mean of its inputs and of their products, by listening where they pass."""

from collections.abc import Callable

import torch
from torch import Tensor

from cutaway.model import Observer


class Heard(Exception):
    """Ends a forward pass behind the point that somebody listens at: no error, but the rest need not be computed."""


class Moments:
    """Sums over the activations at one point: an observer that ends the pass once it has heard.

    Raises: Heard, from within the forward pass.
    """

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self._sum: Tensor | float = 0.0
        self._products: Tensor | float = 0.0

    def wants(self, name: str) -> bool:
        """Whether the point `name` should be computed for it: no pattern is."""
        return False

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """Add up the activations of the point; let all others pass."""
        if name != self.name:
            return x
        # z is (B, H, T, D), and the matrix reads the heads side by side; all others are (B, T, C).
        rows = (x.transpose(1, 2).flatten(2) if x.dim() == 4 else x).flatten(0, 1)
        self.count += len(rows)
        self._sum = self._sum + rows.double().sum(0)
        self._products = self._products + (rows.T @ rows).double()
        raise Heard

    @property
    def mean(self) -> Tensor:
        """E[x].

        Shapes: (C,)
        """
        return torch.as_tensor(self._sum / self.count)

    @property
    def products(self) -> Tensor:
        """E[x xᵀ].

        Shapes: (C, C)
        """
        return torch.as_tensor(self._products / self.count)

    @property
    def covariance(self) -> Tensor:
        """E[x xᵀ] less what the mean does.

        Shapes: (C, C)
        """
        return self.products - torch.outer(self.mean, self.mean)


def moments_at(name: str, forward: Callable[[Tensor, Observer], object], batches: list[Tensor]) -> Moments:
    """The moments at a point, over all batches."""
    moments = Moments(name)
    for batch in batches:
        try:
            forward(batch, moments)
        except Heard:
            continue
    return moments
