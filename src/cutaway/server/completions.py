"""`/v1/completions`."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from cutaway.server.answer import Answer
from cutaway.server.api_error import api_error
from cutaway.server.asked import service_of, settings_of
from cutaway.server.completion_request import CompletionRequest
from cutaway.server.error_schema import ERRORS
from cutaway.server.plan import plan_of
from cutaway.server.submission import Submission

router = APIRouter()

DONE = "data: [DONE]\n\n"
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
"""A stream, for the OpenAPI document."""
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
"""Made once: `json.dumps` would make one for every token."""


@router.post("/v1/completions", tags=["completions"], responses=ERRORS | EVENTS, response_model=None)
async def create_completion(body: CompletionRequest, request: Request) -> Response:
    """Continue one or several prompts; with `stream`, as server-sent events that end in `data: [DONE]`."""
    service = service_of(request)
    model = service.model(body.model)
    # Encoding a long prompt takes a while, in which others' tokens should go on flowing.
    plan = await asyncio.to_thread(plan_of, body, model, settings_of(request))
    counts = request.state.counts = {"model": model.name, "prompt_tokens": plan.prompt_tokens}
    answer, submission = Answer(plan, model), Submission(model, plan.requests, service.metrics)
    if body.stream:
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        return StreamingResponse(events(answer, submission, with_usage), media_type="text/event-stream")
    with submission:
        result = await unless_gone(request, answer.whole(submission))
    counts["completion_tokens"] = result["usage"]["completion_tokens"]
    return JSONResponse(result)


async def events(answer: Answer, submission: Submission, with_usage: bool) -> AsyncIterator[str]:
    """The answer as server-sent events; an error on the way is one too, and the last."""
    with submission:
        try:
            async for chunk in answer.chunks(submission, with_usage=with_usage):
                yield event(chunk)
        except Exception as error:  # noqa: BLE001 - the client is told, in the only way left
            yield event(api_error(error).body)
            return
    yield DONE


def event(content: Any) -> str:
    """A server-sent event."""
    return f"data: {ENCODER.encode(content)}\n\n"


async def unless_gone(request: Request, work: Any) -> Any:
    """What the work gives; it is cancelled as soon as the client leaves."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(leaving(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        return await task
    finally:
        gone.cancel()


async def leaving(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
