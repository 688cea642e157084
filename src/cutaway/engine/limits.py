"""How much an engine takes on at once: everything it holds is bounded by these."""

from dataclasses import dataclass

from cutaway.sampling.params import check_count


@dataclass(frozen=True, kw_only=True)
class EngineLimits:
    """What an engine holds and does at most; samples are counted, of which a request may ask for several.

    Raises: GenerationError when a value is out of range.
    """

    max_running: int = 16
    """Samples that are read and written at the same time."""
    max_waiting: int = 1024
    """Samples that wait for their turn; one more is refused."""
    max_kept: int = 8
    """Places for finished texts, kept because the next prompt may begin like one of them."""
    step_tokens: int = 256
    """Tokens read in one step. A long prompt is read in as many steps as it takes, while the others go on writing."""
    score_rows: int = 64
    """Positions in one step whose logits are wanted for the prompt's own log-probabilities."""
    max_held_tokens: int | None = None
    """Tokens whose keys and values are held, those promised to running samples included; None fills every place."""

    def __post_init__(self) -> None:
        check_count("max_running", self.max_running, 1, 1 << 12)
        check_count("max_waiting", self.max_waiting, 1, 1 << 20)
        check_count("max_kept", self.max_kept, 0, 1 << 12)
        # One more than all running samples can use, so that whatever they write, reading goes on too.
        check_count("step_tokens", self.step_tokens, self.max_running + 1, 1 << 20)
        check_count("score_rows", self.score_rows, 1, 1 << 12)
        if self.max_held_tokens is not None:
            check_count("max_held_tokens", self.max_held_tokens, 1, 1 << 40)

    @property
    def slots(self) -> int:
        """Places for keys and values: one for each running sample, and those for finished texts."""
        return self.max_running + self.max_kept
