"""Two reports side by side: what changed, and what is noise."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from cutaway.speed.report import SpeedReport
from cutaway.speed.timing import Spread

Verdict: TypeAlias = Literal["faster", "slower", "noise"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A figure in two reports."""

    name: str
    unit: str
    before: Spread
    after: Spread

    @property
    def ratio(self) -> float:
        """How many times faster it became: above 1 is better, whatever the unit."""
        before, after = self.before.median, self.after.median
        better, worse = (before, after) if self.unit == "ms" else (after, before)
        return better / worse if worse else float("inf")

    @property
    def verdict(self) -> Verdict:
        """Noise where the middle halves of the repeats overlap, or one report has a single repeat."""
        single = min(self.before.repeats, self.after.repeats) < 2
        if single or (self.before.low <= self.after.high and self.after.low <= self.before.high):
            return "noise"
        return "faster" if self.ratio > 1 else "slower"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


def compare(before: SpeedReport, after: SpeedReport) -> list[Change]:
    """Every figure that both reports have, the machine's own first: they say whether it was equally fast both times."""
    later = {figure.name: figure for figure in after.figures}
    return [
        Change(name=figure.name, unit=figure.unit, before=figure.spread, after=later[figure.name].spread)
        for figure in before.figures
        if figure.name in later and later[figure.name].unit == figure.unit
    ]


def differences(before: SpeedReport, after: SpeedReport) -> Iterator[str]:
    """What else is not the same, as far as figures depend on it."""
    if before.model != after.model or before.config != after.config:
        yield f"the models differ: {before.model} and {after.model}"
    for key in ("processor", "usable_cores", "instructions", "python", "versions", "threads"):
        first, second = before.environment.get(key), after.environment.get(key)
        if first != second:
            yield f"{key.replace('_', ' ')}: {first} and {second}"
