"""How fast a run is and where it stands."""

from dataclasses import dataclass

from cutaway.anatomy import anatomy
from cutaway.config import GPTConfig


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one step was like."""

    loss: float
    """Before the step, in nats per token."""
    grad_norm: float
    """Before clipping."""
    skipped: str | None = None
    """Why the weights stayed as they were, if they did."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A glance at a run."""

    step: int
    steps: int
    share: float
    """The finished part of the run, from 0 to 1."""
    elapsed_s: float
    loss: float
    """The mean since the last line of the log."""
    tokens_per_s: float
    flops_per_s: float
    utilisation: float | None
    """The share of the FLOP/s that the device could do at most, known as MFU; None where those are unknown."""
    memory_bytes: int | None
    skipped: int
    """Steps since the run began that left the weights as they were."""

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end if it goes on like this."""
        return self.elapsed_s * (1 - self.share) / self.share if self.share else None


class Meter:
    """Means over the steps since one last began."""

    def __init__(self, model: GPTConfig, tokens_per_step: int, elapsed_s: float) -> None:
        self.tokens_per_step = tokens_per_step
        self.flops_per_token = anatomy(model).training_flops_per_token
        self.skipped = 0
        self.begin(elapsed_s)

    def begin(self, elapsed_s: float) -> None:
        """Count from here."""
        self.since_s, self.losses, self.grad_norm = elapsed_s, list[float](), 0.0

    def add(self, outcome: Outcome) -> None:
        """Count a step in."""
        self.losses.append(outcome.loss)
        self.grad_norm = outcome.grad_norm
        self.skipped += outcome.skipped is not None

    @property
    def loss(self) -> float:
        """The mean."""
        return sum(self.losses) / max(1, len(self.losses))

    def tokens_per_s(self, elapsed_s: float) -> float:
        """The speed."""
        return len(self.losses) * self.tokens_per_step / max(elapsed_s - self.since_s, 1e-9)
