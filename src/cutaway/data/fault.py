"""What goes wrong with data."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cutaway.errors import DataError


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a sentence with the way out."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"the disk of {folder} is full; free some space and run the same again, finished parts are kept"
            ) from None
        raise DataError(
            f"cannot write to {folder}: {error.strerror or error}; give a folder that can be written to"
        ) from None
