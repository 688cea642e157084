"""What the network thinks of a prompt's own tokens, gathered while it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cutaway.generate.choice import weighed
from cutaway.sampling.processors import Array


@dataclass(frozen=True, kw_only=True)
class PromptScore:
    """One token of a prompt, as the network saw it coming."""

    token: int
    logprob: float | None
    """Natural log-probability given everything before; None for the first token, which follows nothing."""
    top_logprobs: dict[int, float] = field(default_factory=dict)
    """The likeliest tokens in its place and their log-probabilities, if they were asked for."""


class PromptScores:
    """The scores of a prompt that comes in pieces."""

    def __init__(self, prompt: Sequence[int], top: int) -> None:
        self._prompt, self._top = prompt, top
        self.scores = [PromptScore(token=prompt[0], logprob=None)]

    def add(self, rows: Iterable[Array]) -> None:
        """Score the next tokens by the logits after those before them; what follows the last one is nobody's score.

        Shapes: each (V,)
        """
        for logits, token in zip(rows, self._prompt[len(self.scores) :], strict=False):
            logprob, top = weighed(logits, token, self._top)
            self.scores.append(PromptScore(token=token, logprob=logprob, top_logprobs=top))
