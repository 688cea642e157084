"""The application: which path leads where."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from cutaway import __version__
from cutaway.errors import CutawayError
from cutaway.server import completions, page_files, status, tokens
from cutaway.server.api_error import ApiError, on_api_error, on_http, on_invalid
from cutaway.server.guard import Guard
from cutaway.server.inside import routes as inside
from cutaway.server.inside import weight_vectors
from cutaway.server.runs import routes as runs
from cutaway.server.service import Service
from cutaway.server.settings import ServerSettings


def create_app(service: Service, settings: ServerSettings | None = None) -> FastAPI:
    """The HTTP API and the page over some models, which begin to load when the application starts.

    Any ASGI server runs it: `run.py` does with uvicorn, and tests call it directly.
    """
    settings = settings or ServerSettings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.begin()
        yield
        service.stop(settings.drain_s)

    app = FastAPI(
        title="Cutaway",
        summary="GPT-2 behind the completions API of OpenAI.",
        version=__version__,
        lifespan=lifespan,
        redoc_url=None,
        docs_url=None,  # its page would fetch scripts from the network
    )
    app.state.service, app.state.settings = service, settings
    for module in (completions, tokens, inside, weight_vectors, runs, status, page_files):
        app.include_router(module.router)
    for error in (ApiError, CutawayError):
        app.add_exception_handler(error, on_api_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_middleware(Guard, settings=settings, metrics=service.metrics)
    return app
