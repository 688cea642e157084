"""A file that is to be exported: refused before the work begins, written beside its place, then put there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cutaway.atomic_file import put_in_place
from cutaway.errors import CheckpointError


@contextmanager
def new_file(path: str | os.PathLike[str], needed_bytes: int, *, overwrite: bool) -> Iterator[Path]:
    """A temporary file to write to, which takes the name `path` when all went well.

    Raises: CheckpointError when something of that name is there (with `overwrite`: a folder), when the disk has no
        room for so many bytes, or when writing fails.
    """
    target = Path(path)
    try:
        _refuse(target, needed_bytes, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        with put_in_place(target) as temporary:
            yield temporary
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"{target} cannot be written: {reason}; what was there is unchanged") from None


def _refuse(target: Path, needed_bytes: int, overwrite: bool) -> None:
    if target.is_dir():
        raise CheckpointError(f"{target} is a folder; give the name of a file")
    if target.exists() and not overwrite:
        raise CheckpointError(
            f"{target} is there already; give another name, or overwrite it (--overwrite, overwrite=True)"
        )
    existing = next(folder for folder in target.absolute().parents if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        room = f"the disk of {existing} has room for {free / 1e6:,.0f} MB"
        raise CheckpointError(f"{target} needs {needed_bytes / 1e6:,.0f} MB and {room}; free some, or choose another")
