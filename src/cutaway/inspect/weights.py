"""The weights by themselves: figures, histograms and singular values of every matrix."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.config import check_integer
from cutaway.errors import InspectionError, did_you_mean
from cutaway.inspect.embeddings import plain
from cutaway.inspect.passage import AnyModel, parts
from cutaway.labelled import Axis, Labelled

FIGURES = ("size", "mean", "std", "min", "max", "norm")


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often numbers of each size occur in a weight."""

    counts: Labelled
    """By the middle of each bin."""
    edges: NDArray[np.float64]
    """Where the bins begin and end: one more than counts."""


@dataclass(frozen=True, kw_only=True)
class SingularValues:
    """How strongly a matrix stretches each of its own directions, the strongest first."""

    values: Labelled

    @property
    def stable_rank(self) -> float:
        """The squared norm as a multiple of the largest squared singular value: at most the rank, and robust.

        Source: Rudelson and Vershynin 2007, "Sampling from large matrices".
        """
        squares = self.values.values.astype(np.float64) ** 2
        return float(squares.sum() / squares[0]) if squares[0] else 0.0

    @property
    def effective_rank(self) -> float:
        """The exponential of the entropy of the singular values, as shares of their sum.

        Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".
        """
        values = self.values.values.astype(np.float64)
        shares = values[values > 0] / values.sum() if values.sum() else values[:0]
        return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def weight_names(model: AnyModel) -> list[str]:
    """The names of all weights, as in a checkpoint; a tied head is `wte.weight` and is not named twice."""
    return [name for name, _ in parts(model)[0].named_parameters()]


def weight(model: AnyModel, name: str) -> Tensor:
    """A weight by its name, with or without `.weight` at the end.

    Raises: InspectionError, with the nearest name, when there is none.
    """
    named = dict(parts(model)[0].named_parameters(remove_duplicate=False))
    for known in (name, f"{name}.weight"):
        if known in named:
            return plain(named[known])
    # One layer stands for all: an error must not list a hundred names.
    few = [known for known in named if not known.startswith("h.") or known.startswith("h.0.")]
    raise InspectionError(f"there is no weight {name!r}; {did_you_mean(name, few)}")


def weight_figures(model: AnyModel) -> Labelled:
    """Size, mean, standard deviation, extremes and norm of every weight.

    Shapes: weight, figure
    """
    names = weight_names(model)
    rows = [figures(weight(model, name)) for name in names]
    return Labelled(title="Weights", values=np.array(rows), axes=(Axis("weight", names), Axis("figure", FIGURES)))


def figures(numbers: Tensor) -> list[float]:
    """The figures of one weight, in the order of `FIGURES`."""
    exact = numbers.double()
    found = (exact.mean(), exact.std(correction=0), exact.min(), exact.max(), exact.norm())
    return [float(numbers.numel()), *(figure.item() for figure in found)]


def weight_histogram(model: AnyModel, name: str, bins: int = 80) -> Histogram:
    """How the numbers of a weight are spread, in `bins` equal steps from the least to the largest.

    Raises: InspectionError for an unknown name; ConfigError for an impossible number of bins.
    """
    check_integer("bins", bins, 1, 10_000)
    counts, edges = np.histogram(weight(model, name).numpy().astype(np.float64), bins)
    middles = [f"{middle:.4g}" for middle in (edges[1:] + edges[:-1]) / 2]
    return Histogram(
        counts=Labelled(title=f"Numbers in {name}", values=counts, axes=(Axis("value", middles),), unit="count"),
        edges=edges,
    )


def singular_values(model: AnyModel, name: str) -> SingularValues:
    """The singular values of a matrix.

    Raises: InspectionError for an unknown name, or a weight that is no matrix.
    """
    matrix = weight(model, name)
    if matrix.ndim != 2:
        raise InspectionError(f"{name} has shape {tuple(matrix.shape)} and is no matrix; choose one of two dimensions")
    values = torch.linalg.svdvals(matrix).numpy()
    axis = Axis("singular value", [*range(1, len(values) + 1)])
    return SingularValues(values=Labelled(title=f"Singular values of {name}", values=values, axes=(axis,)))
