"""Two evaluations of the same items, compared item by item: much of what makes items hard is in both, and cancels.

The standard error is that of a mean of differences; where items weigh unequally, as windows of a text do by their
tokens, that of a ratio of sums.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cutaway.errors import EvaluationError
from cutaway.evals.choices import divided, likeliest
from cutaway.evals.item_log import FinishedItems, Outcome, no_items
from cutaway.evals.tasks import TASKS

OF_THE_MODEL = ("model", "weights_bytes", "weights_changed_ns", "dtype", "network")
"""What may differ, for that is what is compared."""
DECISIVE = ("evaluation", "files")
"""What must not, or items of the same number are not the same."""

Pairs: TypeAlias = Mapping[int, tuple[Outcome, Outcome]]
"""What became of an item on both sides, by its number."""
Score: TypeAlias = Callable[[Outcome], tuple[float, float]]
"""What an item adds to a measure: a value, and how much it weighs."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What can be compared."""

    name: str
    unit: str
    score: Score
    less_is_better: bool = False


@dataclass(frozen=True, kw_only=True)
class Change:
    """One measure of both evaluations."""

    measure: Measure
    before: float
    after: float
    stderr: float | None
    """Of the difference; none for a single item."""
    better: int
    """Items that the later evaluation does better."""
    worse: int
    of: int

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before

    @property
    def p_value(self) -> float | None:
        """How often chance alone would bring at least this difference, if there were none.

        For right and wrong by the exact sign test (McNemar's), otherwise by the normal distribution.
        """
        if self.measure.unit == "share":
            return sign_test(self.better, self.worse)
        if not self.stderr:
            return None if self.stderr is None else float(not self.difference)
        return math.erfc(abs(self.difference) / self.stderr / math.sqrt(2))

    def to_dict(self) -> dict[str, Any]:
        """All figures, ready for JSON."""
        counts = {"better": self.better, "worse": self.worse, "items": self.of}
        sides = {"before": self.before, "after": self.after, "difference": self.difference}
        about = {"name": self.measure.name, "unit": self.measure.unit}
        return {**about, **sides, "stderr": self.stderr, "p_value": self.p_value, **counts}


def right_by(way: str) -> Score:
    """Whether the right answer of a question was the likeliest, by the whole answer or divided among its units."""

    def score(outcome: Outcome) -> tuple[float, float]:
        totals = outcome["logprobs"]
        if way != "sum":
            totals = divided(totals, outcome["characters" if way == "per_character" else "tokens"])
        return likeliest(totals) == outcome["answer"], 1

    return score


CHOICES = {
    "sum": Measure(name="right, whole answer", unit="share", score=right_by("sum")),
    "per_character": Measure(name="right, a character", unit="share", score=right_by("per_character")),
    "per_token": Measure(name="right, a token", unit="share", score=right_by("per_token")),
}
RIGHT_ANSWER = Measure(
    name="loss of the right answer",
    unit="nats",
    score=lambda outcome: (-outcome["logprobs"][outcome["answer"]], 1),
    less_is_better=True,
)
LAST_WORDS = (
    Measure(name="last word right", unit="share", score=lambda outcome: (outcome["greedy"], 1)),
    Measure(name="without stop words", unit="share", score=lambda outcome: (outcome["greedy_but"], 1)),
    Measure(name="loss a word", unit="nats", score=lambda outcome: (-outcome["logprob"], 1), less_is_better=True),
)
WINDOWS = (
    Measure(
        name="loss a token",
        unit="nats",
        score=lambda outcome: (math.fsum(outcome["losses"]), len(outcome["losses"])),
        less_is_better=True,
    ),
)


def compare(before: FinishedItems, after: FinishedItems) -> list[Change]:
    """Each measure of two evaluations, over the items that both have finished.

    Raises: EvaluationError when they are not of the same items.
    """
    check_alike(before, after)
    shared = sorted(before.outcomes.keys() & after.outcomes.keys())
    if not shared:
        raise EvaluationError("the two evaluations have no finished item in common; finish both on the same items")
    pairs = {number: (before.outcomes[number], after.outcomes[number]) for number in shared}
    try:
        return [changed(measure, list(pairs.values())) for measure in measures_of(before.key, pairs)]
    except EvaluationError:  # which is a ValueError, too
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        raise EvaluationError(
            f"{before.path} and {after.path} do not hold items of the same kind; make both by the same command"
        ) from None


def measures_of(key: Mapping[str, Any], pairs: Pairs) -> Sequence[Measure]:
    """What there is to compare.

    Raises: EvaluationError when an item is not the same on both sides.
    """
    outcome, _ = next(iter(pairs.values()))
    if "losses" in outcome:
        check_same(pairs, lambda item: len(item["losses"]), "tokens", "use the same --context and --stride, and models")
        return WINDOWS
    if "logprobs" in outcome:
        check_same(pairs, lambda item: item["answer"], "as its right answer", "evaluate the same file of questions")
        task = TASKS.get(key["evaluation"])
        return [*(CHOICES[way] for way in (task.measures if task else ("sum",))), RIGHT_ANSWER]
    return LAST_WORDS


def check_same(pairs: Pairs, part: Callable[[Outcome], Any], what: str, way: str) -> None:
    """Refuse items of which something that belongs to the question differs.

    Raises: EvaluationError naming the first.
    """
    for number, (one, other) in pairs.items():
        if part(one) != part(other):
            raise EvaluationError(
                f"item {number:,} has {part(one)} {what} in one and {part(other)} in the other; {way}"
            )


def changed(measure: Measure, pairs: Sequence[tuple[Outcome, Outcome]]) -> Change:
    """A measure over pairs of outcomes."""
    before, after = ([measure.score(outcome) for outcome in side] for side in zip(*pairs, strict=True))
    weights = [weight for _, weight in before]
    steps = [new - old for (old, _), (new, _) in zip(before, after, strict=True)]
    up, down = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
    whole = math.fsum(weights)
    return Change(
        measure=measure,
        before=math.fsum(value for value, _ in before) / whole,
        after=math.fsum(value for value, _ in after) / whole,
        stderr=ratio_stderr(steps, weights),
        better=down if measure.less_is_better else up,
        worse=up if measure.less_is_better else down,
        of=len(pairs),
    )


def ratio_stderr(values: Sequence[float], weights: Sequence[float]) -> float | None:
    """The standard error of sum(values) / sum(weights), items being drawn independently; with weights of 1 the usual.

    Source: Cochran 1977, "Sampling Techniques", section 2.11.
    """
    n, whole = len(values), math.fsum(weights)
    if n < 2:
        return None
    mean = math.fsum(values) / whole
    spread = math.fsum((value - mean * weight) ** 2 for value, weight in zip(values, weights, strict=True))
    return float(math.sqrt(spread * n / (n - 1)) / whole)


def sign_test(one: int, other: int) -> float:
    """How often a fair coin falls at least as unevenly as this, to either side."""
    n = one + other
    term = tail = 1
    for k in range(min(one, other)):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, float(2 * tail / 2**n))


def check_alike(before: FinishedItems, after: FinishedItems) -> None:
    """Refuse evaluations of different things.

    Raises: EvaluationError naming what differs.
    """
    for side in (before, after):
        if "evaluation" not in side.key:
            raise no_items(side.path)
    for name in DECISIVE:
        if (old := before.key.get(name)) != (new := after.key.get(name)):
            raise EvaluationError(
                f"{before.path} and {after.path} are not of the same items: {name} is {old!r} in one and {new!r} "
                "in the other; evaluate both models on the same files"
            )


def differences(before: FinishedItems, after: FinishedItems) -> Iterator[str]:
    """Settings that differ, in words: then it is not only the model that is compared."""
    for name in {**before.key, **after.key}:
        old, new = before.key.get(name), after.key.get(name)
        if name not in OF_THE_MODEL and old != new:
            yield f"{name} was {old!r} and is {new!r}"
