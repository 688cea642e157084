"""What may be asked of `/v1/completions`.

Source: OpenAI's API reference, "Completions"; `top_k`, `min_p`, `repetition_penalty`, `ignore_eos` and
`stop_token_ids` are called as in vLLM.
"""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cutaway.sampling.params import MAX_SAMPLES

MAX_STOPS = 4
MAX_BIASES = 1024

Ids: TypeAlias = list[Annotated[int, Field(ge=0, lt=1 << 31)]]


class StreamOptions(BaseModel):
    """What a stream tells besides the text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False
    """End with a chunk that holds no choice and counts the tokens."""


class CompletionRequest(BaseModel):
    """A request to continue one or several prompts."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: str | None = None
    """The name of a served model; without one, the first."""
    prompt: str | list[str] | Ids | list[Ids] | None = None
    """A text, several, token ids, or several lists of them; null starts a new document from `<|endoftext|>`."""
    max_tokens: Annotated[int, Field(ge=0, le=1 << 20)] | None = 16
    """New tokens at most; 0 is for `echo` alone."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 1.0
    top_k: Annotated[int, Field(ge=-1, le=1 << 20)] | None = 0
    """Keep only the k most likely tokens; 0 and -1 keep all."""
    min_p: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = 1.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = 0.0
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    """Added to the logits of these token ids."""
    n: Annotated[int, Field(ge=1, le=MAX_SAMPLES)] | None = 1
    """Samples to return for each prompt."""
    best_of: Annotated[int, Field(ge=1, le=MAX_SAMPLES)] | None = None
    """Samples to make for each prompt, of which the `n` likeliest a token are returned."""
    stop: str | list[str] | None = None
    """Up to four texts that end a sample and are not part of it."""
    stop_token_ids: Ids | None = None
    ignore_eos: bool = False
    """Go on after `<|endoftext|>`."""
    seed: Annotated[int, Field(ge=-(1 << 63), lt=1 << 64)] | None = None
    """The same seed gives the same text, whatever else the server is doing."""
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    """How many of the most likely tokens to report in each place, besides the one that is there."""
    echo: bool | None = False
    """Return the prompt too, with its own log-probabilities if some are asked for."""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    """Taken and not used."""
    suffix: str | None = None
    """GPT-2 writes forward only: refused."""

    @field_validator("stop")
    @classmethod
    def _few_stops(cls, value: Any) -> Any:
        stops = [value] if isinstance(value, str) else value or []
        if len(stops) > MAX_STOPS:
            raise ValueError(f"{len(stops)} stop texts are too many; give at most {MAX_STOPS}")
        if not all(stops):
            raise ValueError("an empty stop text can never be met; leave it out")
        return value

    @field_validator("logit_bias")
    @classmethod
    def _biases_of_ids(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value is not None and len(value) > MAX_BIASES:
            raise ValueError(f"{len(value):,} biases are too many; give at most {MAX_BIASES:,}")
        for token in value or ():
            if not (token.isascii() and token.isdigit() and len(token) < 10):
                raise ValueError(f"{token!r} is not a token id; keys are ids in decimal, such as '50256'")
        return value

    @field_validator("suffix")
    @classmethod
    def _no_suffix(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError("GPT-2 writes forward only and cannot fill in before a suffix; leave it out")
        return value
