"""The log of a run that is going on, read on from where one was: what is new costs no more than itself."""

import json
import math
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from cutaway.errors import TrainingError
from cutaway.train.log import LOG

CHECKED_BYTES = 4096
PAGE_BYTES = 1 << 20
"""Read at once; a longer line is not ours."""
WRITTEN = re.compile(r"\d{1,15}\.[0-9a-f]{8}")
"""A cursor as text."""

Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place between two lines of a log: the bytes before it, and a checksum of the last of them.

    A resumed run drops the lines of the steps that it takes again. Other bytes then stand before the place, and
    whoever comes with the cursor is given the log from its beginning.
    """

    offset: int = 0
    checksum: int = 0

    def __str__(self) -> str:
        return f"{self.offset}.{self.checksum:08x}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """A cursor from what `str` makes of it; an empty text is the beginning.

        Raises: TrainingError for anything else.
        """
        if not text:
            return cls()
        if not WRITTEN.fullmatch(text):
            raise TrainingError(f"since={text[:40]!r} is no place in a log; give a cursor that came with lines of it")
        offset, _, checksum = text.partition(".")
        return cls(offset=int(offset), checksum=int(checksum, 16))

    @classmethod
    def at(cls, file: BinaryIO, offset: int) -> Self:
        """The cursor of a place in an open log, or of its end if the place lies beyond."""
        offset = min(offset, file.seek(0, os.SEEK_END))
        start = max(0, offset - CHECKED_BYTES)
        file.seek(start)
        return cls(offset=offset, checksum=zlib.crc32(file.read(offset - start)))


START = Cursor()


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some lines of a log."""

    lines: list[Line]
    cursor: Cursor
    """Where they end."""
    from_start: bool
    """Whether they are the log's first, and not those after the cursor that was asked for."""
    more: bool
    """Whether it is worth asking again at once."""


@dataclass(frozen=True, kw_only=True)
class End:
    """Where a log ends at the moment."""

    line: Line | None
    """The last one; None while there is none."""
    cursor: Cursor
    written_s: float
    """When it was written, in seconds since 1970."""


def read_on(run: Path, since: Cursor = START) -> Page:
    """The lines of a run's log after a cursor, as many as make a page; none while nothing is logged.

    Raises: TrainingError when the run is gone, or its log is something else.
    """
    try:
        with (run / LOG).open("rb") as file:
            start = since.offset if Cursor.at(file, since.offset) == since else 0
            file.seek(start)
            data = file.read(PAGE_BYTES)
            whole = data[: data.rfind(b"\n") + 1]
            full = len(data) == PAGE_BYTES
            if full and not whole:
                raise TrainingError(f"{run / LOG} is not the log of a run: it has a line without end")
            lines = [parsed(line, run) for line in whole.splitlines()]
            return Page(lines=lines, cursor=Cursor.at(file, start + len(whole)), from_start=start == 0, more=full)
    except FileNotFoundError:
        check_folder(run)
        return Page(lines=[], cursor=START, from_start=True, more=False)
    except OSError as error:
        raise unreadable(run, error) from None


def read_end(run: Path) -> End | None:
    """Where a run's log ends, without reading all of it; None while there is none.

    Raises: TrainingError when the run is gone, or its log is something else.
    """
    path = run / LOG
    try:
        with path.open("rb") as file:
            size, written_s = path.stat().st_size, path.stat().st_mtime
            start = max(0, size - PAGE_BYTES)
            file.seek(start)
            data = file.read(size - start)
            end = data.rfind(b"\n") + 1
            last = data[:end].splitlines()[-1:]
            line = parsed(last[0], run) if last else None
            return End(line=line, cursor=Cursor.at(file, start + end if end else 0), written_s=written_s)
    except FileNotFoundError:
        check_folder(run)
        return None
    except OSError as error:
        raise unreadable(run, error) from None


def check_folder(run: Path) -> None:
    """See that the folder of a run is still there.

    Raises: TrainingError when it is not.
    """
    if not run.is_dir():
        raise TrainingError(f"the folder {run} is gone; bring it back, or leave this run out")


def unreadable(run: Path, error: OSError) -> TrainingError:
    """The error of a log that the system does not hand out."""
    return TrainingError(f"{run / LOG} cannot be read: {error.strerror or error}; see that it may be")


def parsed(line: bytes, run: Path) -> Line:
    """One line; a number that JSON has no word for, such as an infinite loss, is None.

    Raises: TrainingError when it is not a line of a log.
    """
    try:
        values = json.loads(line, parse_constant=lambda name: None, parse_float=finite)
        if not isinstance(values, dict) or type(values.get("step")) is not int:
            raise ValueError("a line has no step")
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{run / LOG} is not the log of a run: {error}") from None
    return values


def finite(text: str) -> float | None:
    """The number, unless it is too large to be one."""
    value = float(text)
    return value if math.isfinite(value) else None
