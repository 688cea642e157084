"""Pictures in files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cutaway.atomic_file import write_atomically
from cutaway.errors import ConfigError
from cutaway.plots.page import encoded

STILL = ("png", "svg", "pdf")
MOVING = ("gif", "mp4")


def save(figure: Any, path: Path | str) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix: whole or not at all, and the same bytes each time.

    Raises: ConfigError for another suffix, or when the file cannot be written.
    """
    path = Path(path)
    kind = kind_of(path, STILL)
    put(path, [encoded(figure, kind)])


def kind_of(path: Path, known: Iterable[str]) -> str:
    """The kind of picture that the suffix asks for.

    Raises: ConfigError when it is not among those known.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind in known:
        return kind
    names = ", ".join(f".{name}" for name in known)
    raise ConfigError(f"{path.name!r} ends in no kind of picture that can be written here; known are {names}")


def put(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts to a file.

    Raises: ConfigError when the file cannot be written.
    """
    try:
        write_atomically(path, parts)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"the picture cannot be written to {path}: {reason}; choose another place") from None
