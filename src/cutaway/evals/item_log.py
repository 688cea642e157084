"""Finished items in a file, a line each, so that an evaluation that was killed goes on where it stopped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeAlias

from cutaway.errors import EvaluationError

Outcome: TypeAlias = dict[str, Any]
"""What became of an item, ready for JSON."""

MAX_LINE_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class FinishedItems:
    """What a file holds."""

    path: Path
    key: Outcome
    """What was evaluated, and how."""
    outcomes: dict[int, Outcome]
    """What became of each finished item."""
    whole_bytes: int
    """Up to where the lines are whole; of one that was cut off when a process died, nothing is kept."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises: EvaluationError when it cannot be read, or holds something else.
        """
        outcomes: dict[int, Outcome] = {}
        key: Outcome | None = None
        whole = 0
        try:
            with path.open("rb") as lines:
                while (line := lines.readline(MAX_LINE_BYTES)).endswith(b"\n"):
                    values = parsed(line, path)
                    if key is None:
                        key = values
                    else:
                        outcomes[number_of(values, path)] = values
                    whole += len(line)
        except OSError as error:
            raise EvaluationError(f"{path} cannot be read: {error.strerror or error}; check the path") from None
        if key is None:
            raise no_items(path)
        return cls(path=path, key=key, outcomes=outcomes, whole_bytes=whole)


def parsed(line: bytes, path: Path) -> Outcome:
    """The object that a line holds.

    Raises: EvaluationError when it holds none.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise no_items(path)
    return values


def number_of(values: Outcome, path: Path) -> int:
    """Take the number of an item from its line.

    Raises: EvaluationError when it has none.
    """
    number = values.pop("item", None)
    if not isinstance(number, int):
        raise no_items(path)
    return number


def no_items(path: Path) -> EvaluationError:
    """The error for a file of something else."""
    return EvaluationError(f"{path} is not a file of finished items; name another, or delete it")


class ItemLog:
    """JSON Lines: first the key, which says what was evaluated and how, then `{"item": number, …}` for each item.

    A file with another key is refused. Of a line that was cut off when a process died, nothing is kept.
    """

    def __init__(self, key: Mapping[str, Any], path: Path | None = None) -> None:
        self.key, self.path = dict(key), path
        self.done: dict[int, Outcome] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self.path is not None:
            whole = self._take_over(self.path)
            try:
                self._file = self.path.open("r+b" if whole else "wb")
                self._file.truncate(whole)
                self._file.seek(whole)
            except OSError as error:
                raise EvaluationError(f"{self.path} cannot be used for items: {error.strerror or error}") from None
            if not whole:
                self._write(self.key)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, item: int, outcome: Outcome) -> None:
        """Keep what became of an item."""
        self._write({"item": item} | outcome)

    def _line(self, values: Mapping[str, Any]) -> bytes:
        return json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    def _write(self, values: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(self._line(values))
            self._file.flush()

    def _take_over(self, path: Path) -> int:
        """Take over what is there; how many bytes of it are whole."""
        if not path.is_file() or self._is_begun(path):
            return 0
        found = FinishedItems.read(path)
        self._check(found.key)
        self.done = found.outcomes
        return found.whole_bytes

    def _is_begun(self, path: Path) -> bool:
        """Whether the file holds nothing, or no more than the beginning of what would be its first line."""
        key = self._line(self.key)
        return path.stat().st_size < len(key) and key.startswith(path.read_bytes())

    def _check(self, found: Outcome) -> None:
        key = json.loads(json.dumps(self.key))
        if found != key:
            differing = [name for name in {**found, **key} if found.get(name) != key.get(name)]
            name = differing[0]
            raise EvaluationError(
                f"{self.path} holds items of another evaluation: {name} was {found.get(name)!r} and is now "
                f"{key.get(name)!r}; name another file, or delete it"
            )
