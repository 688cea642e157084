"""What generation gives back."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length"]
"""`stop`: `<|endoftext|>`, a stop token or a stop text; `length`: `max_tokens` were written."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One new token of one sample, as it happens."""

    prompt: int
    """Index of the prompt in the batch."""
    sample: int
    """Index of the sample for that prompt."""
    token: int
    text: str
    """What can be shown now: whole characters only, nothing that may turn out to begin a stop text."""
    logprob: float
    """Natural logarithm of the model's own probability for this token, before penalties, temperature and truncation."""
    top_logprobs: dict[int, float]
    finish_reason: FinishReason | None


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One finished sample."""

    text: str
    """The new text, without the stop text or `<|endoftext|>` that ended it."""
    tokens: tuple[int, ...]
    """Every token the model chose, the one that stopped it included."""
    logprobs: tuple[float, ...]
    """Natural log-probabilities of `tokens` under the model itself."""
    top_logprobs: tuple[dict[int, float], ...]
    """At each step the most likely tokens and their log-probabilities; empty dicts when none were asked for."""
    finish_reason: FinishReason

    @property
    def logprob(self) -> float:
        """Log-probability of the whole sample, in nats."""
        return sum(self.logprobs)

    def to_dict(self) -> dict[str, Any]:
        """The sample, ready for JSON; `top_logprobs` only if some were asked for."""
        values = dataclasses.asdict(self)
        if not any(self.top_logprobs):
            del values["top_logprobs"]
        return values


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A prompt and what the model made of it."""

    prompt: str
    prompt_tokens: tuple[int, ...]
    samples: tuple[Completion, ...]
    seed: int | None
    """What reproduces the samples; None where nothing was drawn."""

    @property
    def text(self) -> str:
        """The first sample's text."""
        return self.samples[0].text

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "prompt": self.prompt,
            "prompt_tokens": list(self.prompt_tokens),
            "seed": self.seed,
            "samples": [sample.to_dict() for sample in self.samples],
        }


def collect(steps: Sequence[Step]) -> Completion:
    """The steps of one sample, put together."""
    last = steps[-1].finish_reason
    assert last is not None, "a sample is collected once it has finished"
    return Completion(
        text="".join(step.text for step in steps),
        tokens=tuple(step.token for step in steps),
        logprobs=tuple(step.logprob for step in steps),
        top_logprobs=tuple(step.top_logprobs for step in steps),
        finish_reason=last,
    )
