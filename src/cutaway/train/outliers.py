"""Batches that are out of the ordinary, told by the loss and the gradient norm of those before."""

import math
from collections.abc import Mapping

MEMORY = 0.99
"""How much of the running statistics stays with each batch: they reach back about a hundred."""
FIRST = 50
"""Batches before any is judged."""


class RunningStatistics:
    """Mean and variance of the recent values."""

    def __init__(self) -> None:
        self.count, self.mean, self.variance = 0.0, 0.0, 0.0

    def add(self, value: float) -> None:
        """Count a value in."""
        self.count += 1
        # In the beginning a plain mean, so that the first value does not weigh for ever.
        weight = max(1 - MEMORY, 1 / self.count)
        away = value - self.mean
        self.mean += weight * away
        self.variance = (1 - weight) * (self.variance + weight * away * away)

    def sigmas(self, value: float) -> float:
        """How many standard deviations a value lies above the mean; 0 while there are too few to know."""
        if self.count < FIRST or self.variance == 0:
            return 0.0
        return (value - self.mean) / math.sqrt(self.variance)


class Outliers:
    """The judge: a batch so many standard deviations above the usual is to be skipped."""

    def __init__(self, limit_sigmas: float | None) -> None:
        self.limit_sigmas = limit_sigmas
        self.statistics = {"loss": RunningStatistics(), "grad_norm": RunningStatistics()}

    def reason(self, **values: float) -> str | None:
        """What is out of the ordinary about a batch, or None; an ordinary one joins the statistics."""
        if self.limit_sigmas is None:
            return None
        for name, value in values.items():
            sigmas = self.statistics[name].sigmas(value)
            if sigmas > self.limit_sigmas:
                return f"{name} {value:.4g} is {sigmas:.1f} standard deviations above the usual"
        for name, value in values.items():
            self.statistics[name].add(value)
        return None

    def state(self) -> dict[str, float]:
        """The statistics by name."""
        return {
            f"{name}.{what}": getattr(statistics, what)
            for name, statistics in self.statistics.items()
            for what in ("count", "mean", "variance")
        }

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from what `state` returned."""
        for name, statistics in self.statistics.items():
            for what in ("count", "mean", "variance"):
                setattr(statistics, what, state.get(f"{name}.{what}", 0.0))
