"""`/inside/…`: traces, views, the next token, and writing on with changes made to the network."""

import base64
import math
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from cutaway.config import GPTConfig
from cutaway.errors import did_you_mean
from cutaway.inspect import find_names, trace
from cutaway.language_model import LanguageModel
from cutaway.pages import View
from cutaway.sampling import SamplingParams
from cutaway.server.api_error import ApiError, api_error
from cutaway.server.asked import service_of
from cutaway.server.completion_request import Ids
from cutaway.server.completions import EVENTS, event
from cutaway.server.error_schema import ERRORS
from cutaway.server.inside.asked_edits import AskedEdits, with_edits
from cutaway.server.inside.patterns import score_through
from cutaway.server.inside.questions import QUESTIONS
from cutaway.server.served_model import ServedModel

router = APIRouter(prefix="/inside", tags=["inside"])

MAX_TRACE_BYTES = 1 << 28
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
"""A file, for the OpenAPI document."""
Asked = Annotated[str, PathParameter(json_schema_extra={"enum": list(QUESTIONS)})]
HeadPlace = Annotated[list[Annotated[int, Field(ge=0, le=1 << 20)]], Field(min_length=2, max_length=2)]
LEAST = 1e-300
"""A probability below this counts as this, for it has a logarithm."""


class Reading(BaseModel):
    """A text that a model reads, with changes made to it on the way if there are any."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: str | None = None
    prompt: Annotated[str, Field(max_length=200_000)] | Ids
    edits: AskedEdits = []


class TraceRequest(Reading):
    """What is to be traced."""

    names: Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=1000)] | None = None
    """Names of points, or patterns of names; null means all."""


class ReadRequest(Reading):
    """How much is to be told of each token."""

    top: Annotated[int, Field(ge=0, le=50)] = 10
    """How many of the tokens expected in its place."""


class Question(Reading):
    """A question about a text."""

    target: str | int | None = None
    """The token that an attribution takes apart, rather than the likeliest."""
    position: Annotated[int, Field(ge=-(1 << 20), le=1 << 20)] = -1
    """The token after which it stands."""
    heads: Annotated[list[HeadPlace], Field(min_length=1, max_length=1 << 12)] | None = None
    """The heads whose attention is wanted, as layer and head; null means all."""
    overview: bool = False
    """Leave attention at thumbnails and averages, for a page that asks for a head when somebody looks at it."""


class Continue(Reading):
    """How to write on."""

    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 64
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    top_k: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    logprobs: Annotated[int, Field(ge=0, le=50)] = 0


@router.get("/model", responses=ERRORS)
async def describe(request: Request, model: str | None = None) -> dict[str, Any]:
    """The shape of a model, and what can be asked about it."""
    served = service_of(request).model(model)
    shape: GPTConfig = served.generator.config
    return {"model": served.name, "config": shape.to_dict(), "questions": list(QUESTIONS)}


@router.post("/trace", responses=ERRORS | FILE, response_class=Response)
async def read_trace(body: TraceRequest, request: Request) -> Response:
    """The activations of a text by name, as a safetensors file, which `cutaway.Trace.load` reads."""
    served = service_of(request).model(body.model)
    content = await served.opened.ask(lambda gpt: traced(gpt, body))
    return Response(content, media_type="application/octet-stream")


@router.post("/read", responses=ERRORS)
async def read(body: ReadRequest, request: Request) -> dict[str, Any]:
    """A text token by token: how likely each was, what else was expected in its place, and what is expected next."""
    served = service_of(request).model(body.model)
    return await served.opened.ask(lambda gpt: scored(gpt, body))


@router.post("/views/{question}", responses=ERRORS)
async def views(question: Asked, body: Question, request: Request) -> dict[str, Any]:
    """The answer to a question about a text, as the views that a page draws: facts, and blocks of deflated bytes."""
    if question not in QUESTIONS:
        raise ApiError(404, f"there is no question {question!r}; {did_you_mean(question, QUESTIONS)}", code="not_found")
    served = service_of(request).model(body.model)
    return {"views": await served.opened.ask(lambda gpt: answered(gpt, question, body))}


@router.post("/continue", responses=ERRORS | EVENTS, response_class=StreamingResponse)
async def write_on(body: Continue, request: Request) -> Response:
    """Continue a text with changes made to the network, as server-sent events: a token each, then `[DONE]`."""
    served = service_of(request).model(body.model)
    return StreamingResponse(written(served, body), media_type="text/event-stream")


def traced(gpt: LanguageModel, body: TraceRequest) -> bytes:
    """A trace as a file's bytes.

    Raises: ApiError when it would be too large; InspectionError for an unknown name.
    """
    ids = read_ids(gpt, body)
    names = find_names(body.names, gpt.config.n_layer)
    size = sum(4 * len(ids) * width_of(name, gpt.config, len(ids)) for name in names)
    if size > MAX_TRACE_BYTES:
        raise ApiError(
            413,
            f"{len(names):,} activations of {len(ids):,} tokens take {size / 1e6:,.0f} MB, and a trace over HTTP "
            f"{MAX_TRACE_BYTES / 1e6:,.0f} MB at most; name fewer",
            param="names",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.safetensors"
        trace(with_edits(gpt, body.edits), ids, names).save(path)
        return path.read_bytes()


def width_of(name: str, config: GPTConfig, tokens: int) -> int:
    """Numbers a token at a point; a pattern counts as the q and k that it is stored as, or as itself."""
    point = name.rpartition(".")[2]
    if point == "logits":
        return config.vocab_size
    if point.startswith("mlp_p"):
        return config.mlp_size
    return 2 * config.n_embd + (config.n_head * tokens if point == "pattern" else 0)


def scored(gpt: LanguageModel, body: ReadRequest) -> dict[str, Any]:
    """A text's tokens with their log-probabilities, as `written` gives those that the model writes."""
    scores = score_through(with_edits(gpt, body.edits), read_ids(gpt, body), min(body.top, gpt.tokenizer.n_vocab))
    tops = [
        [[one.token, one.piece, math.log(max(one.probability, LEAST))] for one in score.predictions] for score in scores
    ]
    tokens = [
        {"token": score.token, "piece": score.piece, "logprob": score.logprob, "top": top}
        for score, top in zip(scores, [[], *tops], strict=False)
    ]
    return {"tokens": tokens, "next": tops[-1]}


def answered(gpt: LanguageModel, question: str, body: Question) -> list[dict[str, Any]]:
    """A question's views, ready for JSON."""
    ids = read_ids(gpt, body)
    options = body.model_dump(include={"target", "position", "heads", "overview"})
    return [packed(view) for view in QUESTIONS[question](with_edits(gpt, body.edits), ids, options)]


def packed(view: View) -> dict[str, Any]:
    """A view as JSON, its bulk in base64."""
    blocks = {block.name: base64.b64encode(block.data).decode() for block in view.blocks}
    return {"kind": view.kind, "title": view.title, **view.facts, "blocks": blocks}


async def written(served: ServedModel, body: Continue) -> AsyncIterator[str]:
    """What the changed model writes, token by token; between two tokens others may ask.

    An error on the way is an event too, and the last.
    """
    try:
        steps = await served.opened.ask(lambda gpt: steps_of(gpt, body))
        while (step := await served.opened.ask(lambda gpt: next(steps, None))) is not None:
            yield event(step)
    except Exception as error:  # noqa: BLE001 - the client is told, in the only way left
        yield event(api_error(error).body)
        return
    yield "data: [DONE]\n\n"


def steps_of(gpt: LanguageModel, body: Continue) -> Iterator[dict[str, Any]]:
    """A text in the making, ready for JSON."""
    params = SamplingParams(
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        top_k=body.top_k,
        top_p=body.top_p,
        seed=body.seed,
        logprobs=body.logprobs,
    )
    changed, tokenizer = with_edits(gpt, body.edits), gpt.tokenizer
    for step in changed.stream(read_ids(gpt, body), params):
        top = [[token, tokenizer.piece(token), logprob] for token, logprob in step.top_logprobs.items()]
        yield {
            "token": step.token,
            "piece": tokenizer.piece(step.token),
            "text": step.text,
            "logprob": step.logprob,
            "top": top,
            "finish_reason": step.finish_reason,
        }


def read_ids(gpt: LanguageModel, body: Reading) -> list[int]:
    """The tokens of the text, which fit the context.

    Raises: ApiError.
    """
    ids = gpt.ids(body.prompt)
    if len(ids) > gpt.config.block_size:
        raise ApiError(
            400,
            f"{len(ids):,} tokens do not fit a context of {gpt.config.block_size:,}; shorten the text",
            param="prompt",
            code="context_length_exceeded",
        )
    return ids
