"""One process at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cutaway.data.fault import writing_to
from cutaway.errors import DataError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it even when the process is killed.

    Raises: DataError when another process holds it.
    """
    with writing_to(path.parent):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _hold(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:
        return  # Windows refuses to replace a file that another process has open, which protects the shards there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(f"another process is preparing {path.parent.parent}; wait for it, or stop it") from None
