"""Files that are there as a whole or not at all, whenever the process is killed."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

LEFTOVER = re.compile(r"\..+\.\d+")
"""A hidden file that ends in the number of a process: `write_atomically` names them so."""


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to, which takes its name if all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write the parts one after the other to a temporary file beside `path`, then put it in place."""
    with put_in_place(path) as temporary, temporary.open("wb") as stream:
        for part in parts:
            stream.write(part)


def remove_leftovers(folder: Path, names: str = "*") -> None:
    """Remove the temporary files that killed processes left for files whose names match a glob pattern."""
    for leftover in folder.glob(f".{names}"):
        if LEFTOVER.fullmatch(leftover.name):
            leftover.unlink(missing_ok=True)
