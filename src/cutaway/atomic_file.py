"""Files that are there as a whole or not at all, whenever the process is killed."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

LEFTOVER = re.compile(r"\..+\.\d+")
"""A hidden file that ends in the number of a process: `write_atomically` names them so."""


def write_atomically(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write the parts one after the other to a temporary file beside `path`, then put it in place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            for part in parts:
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, names: str = "*") -> None:
    """Remove the temporary files that killed processes left for files whose names match a glob pattern."""
    for leftover in folder.glob(f".{names}"):
        if LEFTOVER.fullmatch(leftover.name):
            leftover.unlink(missing_ok=True)
