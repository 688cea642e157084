"""Finished items in a file, a line each, so that an evaluation that was killed goes on where it stopped."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeAlias

from cutaway.errors import EvaluationError

Outcome: TypeAlias = dict[str, Any]
"""What became of an item, ready for JSON."""

MAX_LINE_BYTES = 16 << 20


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
            try:
                whole = self._read(self.path) if self.path.is_file() else 0
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

    def _write(self, values: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            self._file.flush()

    def _read(self, path: Path) -> int:
        """Take over what is there; how many bytes of it are whole."""
        whole = 0
        with path.open("rb") as lines:
            while (line := lines.readline(MAX_LINE_BYTES)).endswith(b"\n"):
                values = self._parse(line, path)
                if not whole:
                    self._check(values)
                else:
                    self.done[int(values.pop("item"))] = values
                whole += len(line)
        return whole

    def _parse(self, line: bytes, path: Path) -> Outcome:
        try:
            values = json.loads(line)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise EvaluationError(f"{path} is not a file of finished items; name another, or delete it")
        return values

    def _check(self, found: Outcome) -> None:
        key = json.loads(json.dumps(self.key))
        if found != key:
            differing = [name for name in {**found, **key} if found.get(name) != key.get(name)]
            name = differing[0]
            raise EvaluationError(
                f"{self.path} holds items of another evaluation: {name} was {found.get(name)!r} and is now "
                f"{key.get(name)!r}; name another file, or delete it"
            )
