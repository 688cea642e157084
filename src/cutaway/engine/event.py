"""What an engine tells while it works, and what becomes of a request in the end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cutaway.engine.prompt_scores import PromptScore
from cutaway.engine.request import Request
from cutaway.generate import Completion, Step
from cutaway.generate.completion import collect

EndReason = Literal["finished", "cancelled", "timed out", "failed"]


@dataclass(frozen=True, kw_only=True)
class Wrote:
    """One more token of one sample."""

    request: int
    step: Step


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The log-probabilities of the prompt's own tokens, all at once when it has been read."""

    request: int
    scores: tuple[PromptScore, ...]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The last that is heard of a request."""

    request: int
    reason: EndReason
    error: Exception | None
    """Why it did not finish; None if it did."""


Event: TypeAlias = Wrote | Scored | Ended


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that became of a request, also of one that did not finish."""

    request: Request
    steps: tuple[tuple[Step, ...], ...]
    """What was written, for each sample."""
    prompt_scores: tuple[PromptScore, ...]
    """The prompt's own log-probabilities, if they were asked for."""
    reason: EndReason
    error: Exception | None

    @property
    def samples(self) -> tuple[Completion, ...]:
        """The finished samples.

        Raises: the error that kept the request from finishing.
        """
        if self.error is not None:
            raise self.error
        return tuple(collect(steps) for steps in self.steps)


def outcome_of(request: Request, events: Iterable[Event]) -> Outcome:
    """All events of one request, put together; the last one is its end."""
    steps: list[list[Step]] = [[] for _ in range(request.params.n)]
    scores: tuple[PromptScore, ...] = ()
    for event in events:
        match event:
            case Wrote(step=step):
                steps[step.sample].append(step)
            case Scored(scores=found):
                scores = found
            case Ended(reason=reason, error=error):
                written = tuple(tuple(sample) for sample in steps)
                return Outcome(request=request, steps=written, prompt_scores=scores, reason=reason, error=error)
    raise AssertionError("the events of a request end with its end")
