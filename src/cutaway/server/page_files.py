"""The page at `/`: its own files and those of `pages/` that draw views, under a policy that lets nothing else in."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.responses import Response

from cutaway.server.api_error import ApiError

router = APIRouter(include_in_schema=False)

INDEX = "index.html"
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@router.get("/")
async def index() -> Response:
    """The page."""
    return sent(INDEX)


@router.get("/page/{name:path}")
async def part(name: str) -> Response:
    """A module of the page, its style or its icon; under `views/`, those that the pages written to files have too."""
    return sent(name)


def sent(name: str) -> Response:
    """A file of the page.

    Raises: ApiError when there is none of that name.
    """
    if name not in files():
        raise ApiError(404, f"the page has no file {name!r}; it begins at /", code="not_found")
    return Response(files()[name], media_type=KINDS[ending(name)], headers=HEADERS)


@cache
def files() -> dict[str, bytes]:
    """All files of the page by the name they are asked for, so that no other can be."""
    own = readable(resources.files("cutaway.server").joinpath("page"))
    views = readable(resources.files("cutaway.pages").joinpath("assets"))
    return dict(own) | {f"views/{name}": content for name, content in views}


def readable(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    """The files of a folder that a browser can make something of."""
    for file in folder.iterdir():
        if ending(file.name) in KINDS:
            yield file.name, file.read_bytes()


def ending(name: str) -> str:
    """What a file's name says of its kind."""
    return name.rpartition(".")[2]
