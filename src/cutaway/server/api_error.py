"""Errors as OpenAI's clients know them: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from cutaway.errors import (
    ConfigError,
    CutawayError,
    GenerationError,
    InspectionError,
    QueueFullError,
    TokenizerError,
    did_you_mean,
)

INVALID, OVERLOADED, SERVER, DENIED = (
    "invalid_request_error",
    "overloaded_error",
    "server_error",
    "authentication_error",
)
RETRY_AFTER_S = 1
MAX_SHOWN = 80


class ApiError(Exception):
    """A refusal: the status, and what the client is told."""

    def __init__(
        self, status: int, message: str, *, kind: str = INVALID, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.param, self.code = status, message, kind, param, code

    @property
    def body(self) -> dict[str, Any]:
        """The error as JSON."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it: when to come again, or what would be let in."""
        if self.status in (429, 503):
            return {"Retry-After": str(RETRY_AFTER_S)}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}

    def response(self) -> JSONResponse:
        """The error as a response."""
        return JSONResponse(self.body, self.status, self.headers)


def api_error(error: BaseException) -> ApiError:
    """What a client is told of an error from below; of one that nobody foresaw, only that it happened."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, QueueFullError):
        return ApiError(429, str(error), kind=OVERLOADED, code="queue_full")
    if isinstance(error, GenerationError | TokenizerError | InspectionError | ConfigError):
        return ApiError(400, str(error))
    if isinstance(error, CutawayError):
        return ApiError(500, str(error), kind=SERVER)
    return ApiError(500, "the server failed; its log tells why", kind=SERVER)


async def on_api_error(_request: Request, error: Exception) -> Response:
    """Answer with an `ApiError`, or an error of ours."""
    return api_error(error).response()


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer a body that does not fit the schema: the first fault, in one sentence."""
    assert isinstance(error, RequestValidationError)
    return first_fault(error.errors(), known_parameters(request)).response()


async def on_http(_request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path, a wrong method, a body that is not JSON."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
    refusal = ApiError(error.status_code, str(error.detail), code=code)
    return JSONResponse(refusal.body, refusal.status, dict(error.headers or {}))


def known_parameters(request: Request) -> list[str]:
    """What the body of this route may hold."""
    field = getattr(request.scope.get("route"), "body_field", None)
    return list(getattr(field.field_info.annotation, "model_fields", {})) if field else []


def first_fault(errors: Sequence[Any], known: Sequence[str] = ()) -> ApiError:
    """The fault that a client is told of when its body does not fit."""
    error = next((fault for fault in errors if fault["type"] == "extra_forbidden"), errors[0])
    where = [part for part in error["loc"] if part != "body"]
    name = str(where[0]) if where else None
    if error["type"] == "json_invalid":
        return ApiError(400, f"the body is not JSON: {error['ctx']['error']}", code="json_invalid")
    if name is None and isinstance(error.get("input"), bytes):
        return ApiError(415, "the body is not marked as JSON; send the header 'Content-Type: application/json'")
    if error["type"] == "missing" and name is None:
        return ApiError(400, "the body is empty; send a JSON object", code="json_invalid")
    if error["type"] == "missing":
        return ApiError(400, f"{name!r} is missing; give it", param=name)
    if error["type"] == "extra_forbidden" and len(where) == 1:
        hint = did_you_mean(str(name), known)
        return ApiError(400, f"there is no parameter {name!r}; {hint}", param=name, code="unknown_parameter")
    value = repr(error.get("input"))
    shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
    message = error["msg"].removeprefix("Value error, ")
    return ApiError(400, f"{name or 'the body'}={shown} is not valid: {message[:1].lower()}{message[1:]}", param=name)
