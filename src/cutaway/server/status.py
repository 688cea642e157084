"""Paths that tell about the server: its models, its health, its version, its counts."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse

from cutaway import __version__
from cutaway.server.api_error import ApiError
from cutaway.server.asked import service_of
from cutaway.server.error_schema import ERRORS
from cutaway.server.served_model import ServedModel

router = APIRouter(tags=["status"])

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/v1/models", responses=ERRORS)
async def models(request: Request) -> dict[str, Any]:
    """The models that are served."""
    return {"object": "list", "data": [card(model) for model in service_of(request).models]}


@router.get("/v1/models/{name:path}", responses=ERRORS)
async def model(name: str, request: Request) -> dict[str, Any]:
    """One of them."""
    return card(service_of(request).model(name))


@router.get("/health", responses=ERRORS)
async def health(request: Request) -> JSONResponse:
    """200 when requests can be served, 503 while they cannot."""
    service = service_of(request)
    if not service.models or service.ready:
        return JSONResponse({"status": "ok"})
    raise ApiError(503, "an engine has broken; its log tells why", kind="server_error", code="broken")


@router.get("/version", responses=ERRORS)
async def version() -> dict[str, str]:
    """The version of this server."""
    return {"version": __version__}


@router.get("/metrics", responses=ERRORS, response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Counts for Prometheus."""
    return PlainTextResponse(service_of(request).metrics.text(), media_type=PROMETHEUS)


def card(model: ServedModel) -> dict[str, Any]:
    """A model as OpenAI lists it."""
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "cutaway",
        "max_model_len": model.context,
    }
