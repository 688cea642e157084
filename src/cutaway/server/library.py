"""The libraries of the extra `serve`, looked for before anything is built on them."""

import importlib

from cutaway.errors import MissingExtraError

LIBRARIES = ("fastapi", "uvicorn", "prometheus_client")


def require_serve() -> None:
    """Refuse to go on without the libraries of the server.

    Raises: MissingExtraError naming the one that is not installed.
    """
    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            if error.name != library:  # it is here, and something in it is broken
                raise
            raise MissingExtraError(library.replace("_", "-"), "serve", "serving over HTTP") from None
