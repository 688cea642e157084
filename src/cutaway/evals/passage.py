"""What a scorer is asked and what it answers: the log-probabilities of some tokens after others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import EvaluationError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Some tokens, of which those from `first` on are scored, each given all before it.

    The last token is not read, for nothing follows it; so a context of C tokens takes a passage of C + 1.
    """

    tokens: Sequence[int]
    first: int
    ignored: frozenset[int] = frozenset()
    """Tokens that do not count as rivals of the first scored one, such as stop words."""

    def __post_init__(self) -> None:
        if not 1 <= self.first < len(self.tokens):
            raise EvaluationError(
                f"of a passage of {len(self.tokens)} tokens nothing can be scored from {self.first} on; "
                "the first token follows nothing, and one at least must be left"
            )

    @property
    def n_scored(self) -> int:
        """How many tokens are scored."""
        return len(self.tokens) - self.first


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a model thinks of a passage."""

    logprobs: FloatArray
    """Natural log-probabilities of the scored tokens."""
    greedy: bool
    """Whether each of them was the likeliest, so that greedy decoding would have written them."""
    greedy_but: bool
    """The same where the passage's ignored tokens may not be written first."""

    @property
    def total(self) -> float:
        """The log-probability of all of them together."""
        return float(self.logprobs.sum())


class Scorer(Protocol):
    """A network that says how likely texts are."""

    @property
    def context(self) -> int:
        """How many tokens it can read."""
        ...

    def score(self, passages: Sequence[Passage]) -> list[Scored]:
        """Score passages of any lengths together; each gets what it would get alone, but for rounding.

        Raises: GenerationError for an id outside the vocabulary; EvaluationError for a passage over the context.
        """
        ...


def continuation(context: Sequence[int], tokens: Sequence[int], most: int) -> Passage:
    """Tokens after a context, of which the beginning is left out where both together are too long to read.

    Raises: EvaluationError when there is no context, nothing after it, or the tokens alone are too long.
    """
    if not context or not 1 <= len(tokens) <= most:
        raise EvaluationError(
            f"{len(tokens):,} tokens after {len(context):,} cannot be scored; "
            f"at least one must come before them, and they must be 1 to {most:,}, the model's context"
        )
    kept = [*context, *tokens][-(most + 1) :]
    return Passage(tokens=kept, first=len(kept) - len(tokens))


def check_lengths(passages: Sequence[Passage], most: int) -> None:
    """Refuse what does not fit the context.

    Raises: EvaluationError naming the longest.
    """
    longest = max((len(passage.tokens) - 1 for passage in passages), default=0)
    if longest > most:
        raise EvaluationError(f"a passage reads {longest:,} tokens, the model {most:,}; use a smaller window")
