"""What is asked of an engine."""

from dataclasses import dataclass, field

from cutaway.errors import GenerationError
from cutaway.sampling import SamplingParams
from cutaway.sampling.params import MAX_LOGPROBS, check_count, check_number

MAX_TIME_S = 1e9


@dataclass(frozen=True, kw_only=True)
class Request:
    """A prompt to be continued, `params.n` samples of it.

    Raises: GenerationError for an empty prompt or a value out of range.
    """

    prompt: tuple[int, ...]
    """Token ids."""
    params: SamplingParams = field(default_factory=SamplingParams)
    prompt_logprobs: int | None = None
    """Also score the prompt's own tokens, and report that many of the likeliest in each place; None does not."""
    time_limit_s: float | None = None
    """Seconds from being asked to the last token; None is no limit."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", tuple(self.prompt))
        if not self.prompt:
            raise GenerationError("a prompt needs at least one token; start an empty one from <|endoftext|>")
        if self.prompt_logprobs is not None:
            check_count("prompt_logprobs", self.prompt_logprobs, 0, MAX_LOGPROBS)
        if self.time_limit_s is not None:
            check_number("time_limit_s", self.time_limit_s, 0, MAX_TIME_S, above=True)
