"""How to choose tokens: everything a caller may ask of decoding, checked once and frozen."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, Self

from cutaway.errors import GenerationError, did_you_mean
from cutaway.window import PAST_CONTEXT, PastContext

MAX_SAMPLES = 1024
MAX_LOGPROBS = 100
MAX_STOPS = 64
MIN_TEMPERATURE = 1e-6


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How each next token is chosen and when to stop.

    The steps run in this order: `logit_bias`, repetition, presence and frequency penalties, `no_repeat_ngram_size`,
    `banned_tokens`; then `temperature`, `top_k`, `top_p`, `min_p`, `typical_p`; then one draw.

    Raises: GenerationError when a value is out of range.
    """

    max_tokens: int = 128
    """New tokens at most, for each sample."""
    temperature: float = 0.8
    """Below 1 sharpens the distribution, above 1 flattens it; 0 always takes the most likely token (greedy)."""
    top_k: int = 0
    """Keep only the k most likely tokens; 0 keeps all."""
    top_p: float = 0.95
    """Keep the smallest set of likely tokens whose probabilities reach this sum; 1 keeps all."""
    min_p: float = 0.0
    """Drop tokens less likely than this fraction of the most likely one."""
    typical_p: float = 1.0
    """Keep the tokens closest to the expected surprise, up to this sum of probabilities; 1 keeps all."""
    repetition_penalty: float = 1.0
    """Above 1 makes every token of the prompt or the text so far less likely; 1 leaves them."""
    presence_penalty: float = 0.0
    """Subtracted from the logit of every token generated so far, once."""
    frequency_penalty: float = 0.0
    """Subtracted from the logit of every token generated so far, for each time it occurred."""
    no_repeat_ngram_size: int = 0
    """Never complete an n-gram of tokens that has occurred already; 0 allows it."""
    logit_bias: Mapping[int, float] = field(default_factory=dict, hash=False)
    """Added to the logits of these token ids."""
    banned_tokens: tuple[int, ...] = ()
    """Token ids never chosen."""
    stop: tuple[str, ...] = ()
    """Texts that end a sample; they are not part of its text."""
    stop_tokens: tuple[int, ...] = ()
    """Token ids that end a sample, besides `<|endoftext|>`."""
    ignore_eot: bool = False
    """Go on after `<|endoftext|>`."""
    past_context: PastContext = "half"
    """What a text forgets when the context is full: its older half, all at once, or (`slide`) its oldest token, at
    every token, which is many times slower."""
    seed: int | None = None
    """Fixes the random numbers: the same seed gives the same text, alone or in a batch. None draws one."""
    n: int = 1
    """Samples for each prompt."""
    logprobs: int = 0
    """How many of the most likely tokens to report at each step, besides the chosen one."""

    def __post_init__(self) -> None:
        self._freeze_lists()
        self._check_counts()
        self._check_weights()
        self._check_lists()

    def _freeze_lists(self) -> None:
        if not isinstance(self.logit_bias, Mapping):
            raise GenerationError(f"logit_bias={self.logit_bias!r} must map token ids to numbers, as in {{50256: -5}}")
        object.__setattr__(self, "logit_bias", MappingProxyType(dict(self.logit_bias)))
        for name in ("stop", "stop_tokens", "banned_tokens"):
            value = getattr(self, name)
            alone = isinstance(value, str) or not isinstance(value, Iterable)
            object.__setattr__(self, name, (value,) if alone else tuple(value))

    def _check_counts(self) -> None:
        check_count("max_tokens", self.max_tokens, 1, 1 << 24)
        check_count("n", self.n, 1, MAX_SAMPLES)
        check_count("top_k", self.top_k, 0, 1 << 24)
        check_count("no_repeat_ngram_size", self.no_repeat_ngram_size, 0, 1 << 16)
        check_count("logprobs", self.logprobs, 0, MAX_LOGPROBS)
        if self.seed is not None:
            check_count("seed", self.seed, 0, (1 << 64) - 1)

    def _check_weights(self) -> None:
        check_number("temperature", self.temperature, 0, 100)
        if 0 < self.temperature < MIN_TEMPERATURE:
            raise GenerationError(
                f"temperature={self.temperature!r} is too close to 0 to divide by; "
                f"use 0 for greedy or at least {MIN_TEMPERATURE:g}"
            )
        check_number("top_p", self.top_p, 0, 1, above=True)
        check_number("min_p", self.min_p, 0, 1)
        check_number("typical_p", self.typical_p, 0, 1, above=True)
        check_number("repetition_penalty", self.repetition_penalty, 0.01, 100)
        check_number("presence_penalty", self.presence_penalty, -100, 100)
        check_number("frequency_penalty", self.frequency_penalty, -100, 100)

    def _check_lists(self) -> None:
        if len(self.stop) > MAX_STOPS:
            raise GenerationError(f"{len(self.stop)} stop texts are too many; give at most {MAX_STOPS}")
        for text in self.stop:
            if not isinstance(text, str) or not text:
                raise GenerationError(f"stop={text!r} can never be met; give a text of at least one character")
        for name in ("stop_tokens", "banned_tokens"):
            for token in getattr(self, name):
                check_count(name, token, 0, 1 << 24)
        for token, bias in self.logit_bias.items():
            check_count("logit_bias", token, 0, 1 << 24)
            check_number(f"logit_bias of token {token}", bias, -1000, 1000)
        if self.past_context not in PAST_CONTEXT:
            raise GenerationError(f"past_context={self.past_context!r} must be {' or '.join(map(repr, PAST_CONTEXT))}")
        if not isinstance(self.ignore_eot, bool):
            raise GenerationError(f"ignore_eot={self.ignore_eot!r} must be True or False")

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always taken."""
        return self.temperature == 0

    def replace(self, **changes: Any) -> Self:
        """A copy with some values changed.

        Raises: GenerationError for an unknown name or an impossible value.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise GenerationError(f"there is no sampling parameter {name!r}; {did_you_mean(name, known)}")
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The values by name, ready for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return values | {"logit_bias": dict(self.logit_bias)}

    def __reduce__(self) -> tuple[Any, ...]:
        # The read-only view of `logit_bias` cannot be copied or sent to another process; the values can.
        return partial(type(self), **self.to_dict()), ()


@dataclass(frozen=True, kw_only=True)
class BeamParams:
    """How many hypotheses to carry along, and how to rank them.

    `groups` above 1 gives diverse beam search: each group in turn is discouraged by `diversity_penalty` from the
    tokens that earlier groups chose at the same step.

    Source: Vijayakumar et al. 2016, "Diverse Beam Search".

    Raises: GenerationError when a value is out of range.
    """

    beams: int = 4
    length_penalty: float = 1.0
    """A finished hypothesis scores (sum of log-probabilities) / (generated tokens) ** length_penalty."""
    early_stopping: bool | Literal["never"] = False
    """True stops once enough hypotheses have finished; False when a better one is unlikely; "never" when impossible."""
    groups: int = 1
    diversity_penalty: float = 0.0

    def __post_init__(self) -> None:
        check_count("beams", self.beams, 1, MAX_SAMPLES)
        check_count("groups", self.groups, 1, self.beams)
        check_number("length_penalty", self.length_penalty, -10, 10)
        check_number("diversity_penalty", self.diversity_penalty, 0, 1000)
        if not isinstance(self.early_stopping, bool) and self.early_stopping != "never":
            raise GenerationError(f'early_stopping={self.early_stopping!r} must be True, False or "never"')
        if self.beams % self.groups:
            raise GenerationError(f"beams={self.beams} do not divide evenly among groups={self.groups}; use a multiple")
        if self.groups > 1 and self.diversity_penalty == 0:
            raise GenerationError(f"groups={self.groups} need a diversity_penalty above 0, or all would be alike")


@dataclass(frozen=True, kw_only=True)
class ContrastiveParams:
    """Weigh how likely a token is against how much it would repeat what has been said.

    Source: Su et al. 2022, "A Contrastive Framework for Neural Text Generation", equation 5.

    Raises: GenerationError when a value is out of range.
    """

    top_k: int = 4
    alpha: float = 0.6
    """Weight of the degeneration penalty: 0 is greedy, 1 only avoids repetition."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k, 1, MAX_SAMPLES)
        check_number("alpha", self.alpha, 0, 1)


def check_count(name: str, value: object, low: int, high: int) -> None:
    """Refuse anything but an int from `low` to `high`.

    Raises: GenerationError naming the value and the limits.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise GenerationError(f"{name}={value!r} must be an integer from {low:,} to {high:,}")


def check_number(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Refuse anything but a finite number from `low` (exclusive if `above`) to `high`.

    Raises: GenerationError naming the value and the limits.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (low < value if above else low <= value) or not value <= high:  # type: ignore[operator]
        limits = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
        raise GenerationError(f"{name}={value!r} must be a number {limits}")
