"""How errors look, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel


class ErrorContent(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorContent


MEANINGS = {
    400: "The request asks for what cannot be.",
    401: "A key is missing or unknown.",
    404: "There is no such model, run or checkpoint.",
    408: "The request came too slowly.",
    413: "The body is too large.",
    415: "The body is not marked as JSON.",
    422: "Never sent: a body that does not fit the schema is a 400.",
    429: "Too many requests wait; Retry-After says when to come again.",
    500: "The server failed.",
    503: "The model is being loaded, the server is stopping, or a run cannot be read.",
    504: "The request took longer than the server allows.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": meaning} for status, meaning in MEANINGS.items()
}
