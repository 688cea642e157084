"""`/inside/runs/…`: training runs while they go on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from cutaway.errors import did_you_mean
from cutaway.language_model import LanguageModel
from cutaway.server.api_error import ApiError
from cutaway.server.asked import service_of
from cutaway.server.completion_request import Ids
from cutaway.server.error_schema import ERRORS
from cutaway.server.inside.questions import QUESTIONS
from cutaway.server.inside.routes import Asked, Question, ReadRequest, answered, scored
from cutaway.server.runs.watched_run import WatchedRun
from cutaway.train.sample import write_sample

router = APIRouter(prefix="/inside/runs", tags=["inside"])

MAX_SAMPLE_TOKENS = 512
"""Written at once: whoever asks for another look waits for it."""

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has happened since."}}
"""For the OpenAPI document."""
Known = Annotated[str, Header(description="The ETag of the last answer.")]
Since = Annotated[str, Query(max_length=40, description="A cursor that came with lines; without one, all are new.")]


class AskedText(BaseModel):
    """A text for the newest checkpoint to read, and how much is to be told of each token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(max_length=200_000)] | Ids
    top: Annotated[int, Field(ge=0, le=50)] = 10


class AskedQuestion(BaseModel):
    """A question about a text, as `/inside/views` takes it of a model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(max_length=200_000)] | Ids
    target: str | int | None = None
    position: Annotated[int, Field(ge=-(1 << 20), le=1 << 20)] = -1


class AskedSample(BaseModel):
    """What the newest checkpoint is to go on from; null means from where the run's own samples do."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(max_length=20_000)] | None = None


class Cards(BaseModel):
    """Where the runs stand."""

    runs: list[dict[str, Any]]


@router.get("", responses=ERRORS | UNCHANGED, response_model=Cards)
def cards(request: Request, if_none_match: Known = "") -> Response:
    """The runs that are shown: how far each has come, when it was last heard of, and whether its folder can be read.

    Whoever asks again and again shows the last answer's ETag, and is told when there is nothing new.
    """
    found = service_of(request).runs.cards()
    headers = {"ETag": sign(found), "Cache-Control": "no-cache"}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return JSONResponse({"runs": found}, headers=headers)


@router.get("/{name}/log", responses=ERRORS)
def log(name: str, request: Request, since: Since = "") -> dict[str, Any]:
    """The lines of a run's log, but for samples: those after a cursor, or from the start if the log began anew."""
    page = service_of(request).runs.log(name, since)
    lines = [line for line in page.lines if "sample" not in line]
    return {"lines": lines, "cursor": str(page.cursor), "from_start": page.from_start, "more": page.more}


@router.get("/{name}/samples", responses=ERRORS)
def samples(name: str, request: Request, since: Since = "") -> dict[str, Any]:
    """What the run wrote on its way, in the same manner."""
    page = service_of(request).runs.log(name, since)
    texts = [line for line in page.lines if isinstance(line.get("sample"), str)]
    return {"samples": texts, "cursor": str(page.cursor), "from_start": page.from_start, "more": page.more}


@router.post("/{name}/sample", responses=ERRORS)
async def sample(name: str, body: AskedSample, request: Request) -> dict[str, Any]:
    """What the newest checkpoint writes, as the run itself would have written it then."""
    return await service_of(request).runs.ask(
        name, lambda gpt, run, checkpoint: {"sample": written(gpt, run, checkpoint, body.prompt)}
    )


@router.post("/{name}/read", responses=ERRORS)
async def read(name: str, body: AskedText, request: Request) -> dict[str, Any]:
    """A text token by token, as `/inside/read` has it, by the newest checkpoint, whose step is told too."""
    asked = ReadRequest(prompt=body.prompt, top=body.top)
    return await service_of(request).runs.ask(name, lambda gpt, run, checkpoint: scored(gpt, asked))


@router.post("/{name}/views/{question}", responses=ERRORS)
async def views(name: str, question: Asked, body: AskedQuestion, request: Request) -> dict[str, Any]:
    """The answer to a question, as `/inside/views` has it, by the newest checkpoint, whose step is told too."""
    if question not in QUESTIONS:
        raise ApiError(404, f"there is no question {question!r}; {did_you_mean(question, QUESTIONS)}", code="not_found")
    asked = Question(**body.model_dump())
    return await service_of(request).runs.ask(
        name, lambda gpt, run, checkpoint: {"views": answered(gpt, question, asked)}
    )


def sign(cards: Sequence[dict[str, Any]]) -> str:
    """An ETag of where runs stand, weak, for that all of them have become older is no news."""
    facts = [{name: value for name, value in card.items() if name != "age_s"} for card in cards]
    return f'W/"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}"'


def written(gpt: LanguageModel, run: WatchedRun, checkpoint: Path, prompt: str | None) -> str:
    """A sample by the run's own prompt, seed and length, or by another prompt.

    Raises: ApiError when the checkpoint does not say how its run samples; TokenizerError for a prompt that its
        vocabulary cannot spell.
    """
    config = run.config(checkpoint)
    if config is None:
        raise ApiError(400, f"the run {run.name!r} does not say how it samples; ask /inside/runs/{run.name}/read")
    tokens = min(config.sample_tokens, MAX_SAMPLE_TOKENS)
    asked = config.sample_prompt if prompt is None else prompt
    return write_sample(gpt.model, gpt.tokenizer, replace(config, sample_prompt=asked, sample_tokens=tokens))
