"""Honest timings on noisy machines: all take turns, medians are kept, and how far the repeats scatter is told."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Tells seconds from some beginning, as `time.perf_counter` does."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Repeats of a measurement: the middle one, and the quarters below and above it."""

    median: float
    low: float
    """A quarter of the repeats are below."""
    high: float
    """A quarter of the repeats are above."""
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """That of some values, of which there is at least one."""
        if len(values) == 1:
            return cls(median=values[0], low=values[0], high=values[0], repeats=1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median=median, low=low, high=high, repeats=len(values))

    @property
    def noise(self) -> float:
        """The distance between the quarters, as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Something to be timed."""

    name: str
    unit: str
    """Of its figure: `ms` for the time it takes, anything else for `work` a second."""
    run: Callable[[], Any]
    work: float = 1.0
    """What one run does, in the unit's own counting: tokens, bytes, operations."""
    prepare: Callable[[], Any] = lambda: None
    """Done before each run, and not timed."""

    def figure(self, seconds: float) -> float:
        """The figure for a run that took so long."""
        seconds = max(seconds, 1e-9)
        return 1000 * seconds if self.unit == "ms" else self.work / seconds


Told: TypeAlias = Callable[[str], None]
"""Is told what is being timed now."""


def take_turns(
    contestants: Sequence[Contestant], seconds: float, clock: Clock, tell: Told = lambda name: None, most: int = 200
) -> dict[str, list[float]]:
    """The figures of each contestant, from rounds in which all take turns, until the time is up.

    Each runs once to warm up, and once at least to be timed. A round begins only if the longest yet would still fit.
    What is short runs several times a turn, so that it gets a fair part of the time.
    """
    began = clock()
    turns: dict[str, int] = {}
    for contestant in contestants:
        tell(f"warming up {contestant.name}")
        took = timed(contestant, clock)
        turns[contestant.name] = max(1, min(10, int(seconds / len(contestants) / 10 / max(took, 1e-9))))
    figures: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    longest = 0.0
    for number in range(1, most + 1):
        begun = clock()
        for contestant in contestants:
            tell(f"round {number}: {contestant.name}")
            for _ in range(turns[contestant.name]):
                figures[contestant.name].append(contestant.figure(timed(contestant, clock)))
        longest = max(longest, clock() - begun)
        if clock() - began + longest > seconds:
            break
    return figures


def timed(contestant: Contestant, clock: Clock) -> float:
    """Seconds of one run."""
    contestant.prepare()
    start = clock()
    contestant.run()
    return clock() - start
