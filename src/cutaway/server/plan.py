"""From what a client asks to what the engine is asked, with everything checked that can be before."""

from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.engine import Request
from cutaway.sampling import SamplingParams, fresh_seed
from cutaway.server.api_error import ApiError
from cutaway.server.completion_request import CompletionRequest
from cutaway.server.served_model import ServedModel
from cutaway.server.settings import ServerSettings
from cutaway.text_generator import Prompt

DEFAULT_TOKENS = 16


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the engine is asked, and what of it is returned."""

    requests: tuple[Request, ...]
    """One for each prompt; each makes `best_of` samples."""
    n: int
    """Samples returned for each prompt: the likeliest a token, if more are made."""
    echo: bool
    writes: bool
    """Whether new tokens are wanted; if not, one is made and thrown away."""
    logprobs: int | None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(len(request.prompt) for request in self.requests)


def plan_of(body: CompletionRequest, model: ServedModel, settings: ServerSettings) -> Plan:
    """What a request means for this model.

    Raises: ApiError when it asks for too much, or for what cannot be; GenerationError for an impossible value.
    """
    n = body.n or 1
    samples = body.best_of or n
    prompts = prompts_of(body)
    max_tokens = DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
    _check_counts(body, settings, len(prompts), n, samples)
    if max_tokens == 0 and not body.echo:
        raise ApiError(400, "max_tokens=0 asks for nothing; give at least 1, or echo", param="max_tokens")
    params = _params(body, samples, max(1, max_tokens))
    ids = [_ids(prompt, model, max_tokens) for prompt in prompts]
    scores = body.logprobs if body.echo else None
    return Plan(
        requests=tuple(
            Request(prompt=prompt, params=params, prompt_logprobs=scores, time_limit_s=settings.time_limit_s)
            for prompt in ids
        ),
        n=n,
        echo=bool(body.echo),
        writes=max_tokens > 0,
        logprobs=body.logprobs,
    )


def prompts_of(body: CompletionRequest) -> Sequence[Prompt]:
    """The prompts, each a text or token ids; none is an empty one.

    Raises: ApiError for an empty list.
    """
    prompt = body.prompt
    if prompt is None:
        return [""]
    if isinstance(prompt, str):
        return [prompt]
    if not prompt:
        raise ApiError(400, "prompt=[] holds nothing; give a text or ids, or null for a new document", param="prompt")
    if isinstance(prompt[0], int):
        return [prompt]  # the schema knows that all are ints then
    return prompt


def _check_counts(body: CompletionRequest, settings: ServerSettings, prompts: int, n: int, samples: int) -> None:
    """Refuse too many of anything.

    Raises: ApiError naming what is too many, and the limit.
    """
    if prompts > settings.max_prompts:
        raise ApiError(
            400, f"{prompts:,} prompts are too many; send at most {settings.max_prompts:,} at once", param="prompt"
        )
    name = "n" if body.best_of is None else "best_of"
    if samples > settings.max_samples:
        raise ApiError(400, f"{name}={samples:,} is too many; ask for at most {settings.max_samples:,}", param=name)
    if samples < n:
        raise ApiError(400, f"best_of={samples} is less than n={n}; make at least as many", param="best_of")
    if prompts * samples > settings.max_request_samples:
        raise ApiError(
            400,
            f"{prompts:,} prompts with {samples:,} samples each are too many; "
            f"ask for at most {settings.max_request_samples:,} in all",
            param=name,
        )
    if body.stream and samples > n:
        raise ApiError(400, "best_of knows the best only at the end and cannot be streamed", param="best_of")
    if body.stream_options is not None and not body.stream:
        raise ApiError(400, "stream_options are for stream=true", param="stream_options")


def _params(body: CompletionRequest, samples: int, max_tokens: int) -> SamplingParams:
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    return SamplingParams(
        max_tokens=max_tokens,
        temperature=_or(body.temperature, 1.0),
        top_k=max(0, body.top_k or 0),
        top_p=_or(body.top_p, 1.0),
        min_p=_or(body.min_p, 0.0),
        repetition_penalty=_or(body.repetition_penalty, 1.0),
        presence_penalty=_or(body.presence_penalty, 0.0),
        frequency_penalty=_or(body.frequency_penalty, 0.0),
        logit_bias={int(token): bias for token, bias in (body.logit_bias or {}).items()},
        stop=tuple(stop),
        stop_tokens=tuple(body.stop_token_ids or ()),
        ignore_eot=body.ignore_eos,
        seed=fresh_seed() if body.seed is None else body.seed % (1 << 64),
        n=samples,
        logprobs=body.logprobs or 0,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _ids(prompt: Prompt, model: ServedModel, max_tokens: int) -> tuple[int, ...]:
    """The tokens of a prompt, which fit the context together with what is to be written.

    Raises: ApiError naming both.
    """
    context = model.context
    # So long a text cannot fit, whatever its tokens; to find out how many they are would take long.
    if isinstance(prompt, str) and len(prompt) > (bound := context * model.longest_token):
        raise ApiError(
            400,
            f"a prompt of {len(prompt):,} characters does not fit a context of {context:,} tokens; "
            f"{bound:,} characters never do",
            param="prompt",
            code="context_length_exceeded",
        )
    ids = model.generator.ids(prompt)
    if len(ids) + max_tokens > context:
        raise ApiError(
            400,
            f"the prompt's {len(ids):,} tokens and max_tokens={max_tokens:,} make {len(ids) + max_tokens:,}, "
            f"more than the context of {context:,}; shorten one of them",
            param="max_tokens" if len(ids) <= context else "prompt",
            code="context_length_exceeded",
        )
    return tuple(ids)
