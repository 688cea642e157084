"""The two look-up tables of a GPT-2, a row for each token and one for each position, and what shape they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.errors import InspectionError
from cutaway.inspect.passage import AnyModel, parts, piece_of, token_id
from cutaway.labelled import Axis, Label, Labelled, labelled

MAX_COMPARED = 2048
"""Rows that can be compared with each other at once."""

STATISTICS = ("mean", "std", "min", "max", "norm")


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The figures of a matrix, those of the norms over its rows."""

    mean: float
    std: float
    """Of all numbers, not of a sample: divided by their count."""
    min: float
    max: float
    mean_norm: float
    min_norm: float
    max_norm: float


@dataclass(frozen=True, kw_only=True)
class Components:
    """The rows seen along the directions in which they differ most.

    Source: Pearson 1901, "On lines and planes of closest fit" (principal component analysis).
    """

    projection: Labelled
    """Row, component."""
    directions: Labelled
    """Component, dimension: of length 1, the largest number positive."""
    share: Labelled
    """Component: how much of the variance lies along it, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """How much of each dimension's variation along the rows is a wave of so many periods."""

    share: Labelled
    """Frequency, dimension: sums to 1 over the frequencies, 0 for a dimension that is constant."""
    mean: Labelled
    """Frequency: all dimensions together, each with its variance as weight."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """A matrix with one row for each token or position.

    Shapes: weight (N, C), on the CPU, in float32
    """

    title: str
    kind: str
    """What a row stands for: `token` or `position`."""
    weight: Tensor
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or len(self.weight) != len(self.labels) or not self.weight.numel():
            raise InspectionError(f"rows of shape {tuple(self.weight.shape)} do not fit {len(self.labels)} labels")

    @property
    def axis(self) -> Axis:
        """The rows and what they stand for."""
        return Axis(self.kind, self.labels)

    @property
    def values(self) -> Labelled:
        """The numbers themselves. Shapes: row, dimension."""
        return self._labelled(self.title, self.weight, self.axis, Axis("dimension", self.weight.shape[1]), signed=True)

    def rows(self, rows: Sequence[Label]) -> "Embedding":
        """Only these rows, each given by its number or its label.

        Raises: InspectionError for a row that is not there, or none.
        """
        places = [self.axis.index(row) for row in rows]
        labels = tuple(self.labels[place] for place in places)
        return Embedding(title=self.title, kind=self.kind, weight=self.weight[places], labels=labels)

    def statistics(self) -> Statistics:
        """The figures of the whole matrix."""
        numbers, norms = self.weight.double(), self.weight.double().norm(dim=1)
        return Statistics(
            mean=numbers.mean().item(),
            std=numbers.std(correction=0).item(),
            min=numbers.min().item(),
            max=numbers.max().item(),
            mean_norm=norms.mean().item(),
            min_norm=norms.min().item(),
            max_norm=norms.max().item(),
        )

    def by_dimension(self) -> Labelled:
        """The mean, standard deviation, extremes and norm of each dimension over the rows.

        Shapes: statistic, dimension
        """
        columns = self.weight.double()
        found = [columns.mean(0), columns.std(0, correction=0), columns.amin(0), columns.amax(0), columns.norm(dim=0)]
        dimensions = self.weight.shape[1]
        title = f"{self.title}, by dimension"
        return labelled(title, torch.stack(found).numpy(), diverging=True, statistic=STATISTICS, dimension=dimensions)

    def norms(self) -> Labelled:
        """The length of each row."""
        return self._labelled(f"{self.title}, length of the rows", self.weight.norm(dim=1), self.axis, unit="norm")

    def nearest(self, row: Label, n: int = 10) -> Labelled:
        """The `n` other rows that point most nearly the same way, and their cosines.

        Raises: InspectionError for a row that is not there.
        """
        place = self.axis.index(row)
        cosines = self._unit @ self._unit[place]
        cosines[place] = -torch.inf
        best, places = cosines.topk(min(n, len(self.labels) - 1))
        axis = Axis(self.kind, [self.labels[i] for i in places.tolist()])
        return self._labelled(f"Nearest to {self.labels[place]}", best, axis, unit="cosine", signed=True)

    def similarity(self) -> Labelled:
        """The cosine of every row with every other; choose with `rows` first where there are many.

        Shapes: row, row

        Raises: InspectionError for more rows than can be looked at.
        """
        if len(self.labels) > MAX_COMPARED:
            raise InspectionError(
                f"{len(self.labels):,} rows are too many to compare all; choose at most {MAX_COMPARED:,} with .rows(…)"
            )
        axes = (self.axis, Axis(f"other {self.kind}", self.labels))
        cosines = (self._unit @ self._unit.T).clamp(-1, 1)
        return self._labelled(f"{self.title}, cosines", cosines, *axes, unit="cosine", signed=True)

    def components(self, n: int = 2) -> Components:
        """The `n` directions in which the rows differ most, and where each row lies along them.

        Raises: InspectionError for more directions than there are dimensions.
        """
        C = self.weight.shape[1]
        if not 1 <= n <= C:
            raise InspectionError(f"there are no {n} components in {C} dimensions; choose 1 to {C}")
        centred = self.weight.double() - self.weight.double().mean(0)
        variance, vectors = torch.linalg.eigh(centred.T @ centred)
        directions, largest = vectors.T.flip(0)[:n], variance.flip(0).clamp(min=0)
        signs = directions.gather(1, directions.abs().argmax(1, keepdim=True)).sign()
        directions = directions * signs
        axis, share = Axis("component", [*range(1, n + 1)]), largest[:n] / max(largest.sum().item(), 1e-300)
        return Components(
            projection=self._labelled(f"{self.title}, projected", centred @ directions.T, self.axis, axis, signed=True),
            directions=self._labelled("Principal directions", directions, axis, Axis("dimension", C), signed=True),
            share=self._labelled("Share of the variance", share, axis),
        )

    def spectrum(self) -> Spectrum:
        """The waves along the rows, which mean something where their order does: along positions.

        A wave of frequency f goes up and down f times from the first row to the last; the mean, frequency 0, is
        left out.

        Source: Cooley and Tukey 1965 (the fast Fourier transform); Parseval's theorem, by which the shares add up.
        """
        power = torch.fft.rfft(self.weight.double() - self.weight.double().mean(0), dim=0).abs()[1:] ** 2
        # Every frequency but the highest of an even number of rows stands for itself and its mirror image.
        power[: (len(self.labels) - 1) // 2] *= 2
        total = power.sum(0)
        share = torch.where(total > 0, power / total.clamp(min=1e-300), 0)
        mean = power.sum(1) / total.sum().clamp(min=1e-300)
        axis = Axis("frequency", [*range(1, len(power) + 1)])
        title = f"{self.title}, waves along the {self.kind}s"
        per_dimension = self._labelled(title, share, axis, Axis("dimension", self.weight.shape[1]), unit="share")
        return Spectrum(share=per_dimension, mean=self._labelled(title, mean, axis, unit="share"))

    @cached_property
    def _unit(self) -> Tensor:
        """The rows at length 1. Shapes: (N, C)."""
        return F.normalize(self.weight, dim=1)

    def _labelled(self, title: str, values: Tensor, *axes: Axis, unit: str = "", signed: bool = False) -> Labelled:
        array: Any = values.to(torch.float32).numpy()
        return Labelled(title=title, values=np.ascontiguousarray(array), axes=axes, unit=unit, diverging=signed)


def token_embedding(model: AnyModel) -> Embedding:
    """The rows of `wte`, by the tokens' printable forms."""
    network, tokenizer, _ = parts(model)
    labels = tuple(piece_of(tokenizer, token) for token in range(network.config.vocab_size))
    return Embedding(title="Token embeddings", kind="token", weight=plain(network.wte.weight), labels=labels)


def position_embedding(model: AnyModel) -> Embedding:
    """The rows of `wpe`, by position."""
    weight = plain(parts(model)[0].wpe.weight)
    return Embedding(title="Position embeddings", kind="position", weight=weight, labels=tuple(range(len(weight))))


def neighbours(model: AnyModel, token: str | int, n: int = 10) -> Labelled:
    """The tokens whose embeddings point most nearly the same way as that of a token: `" fox"`, `"Ġfox"`, or its id.

    Raises: InspectionError when it is no token of this model.
    """
    network, tokenizer, _ = parts(model)
    return token_embedding(model).nearest(token_id(network, tokenizer, token), n)


def plain(weight: Tensor) -> Tensor:
    """A weight to calculate with: in float32, on the CPU, without a gradient."""
    return weight.detach().to(device="cpu", dtype=torch.float32)
