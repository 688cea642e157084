"""What a run reports: one JSON object a line, and the same to whoever else wants to know."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cutaway.atomic_file import write_atomically
from cutaway.errors import TrainingError

LOG = "log.jsonl"

Line = Mapping[str, object]
Listener = Callable[[Line], None]


class RunLog:
    """A file of lines that each have a `step`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, **values: object) -> None:
        """Add a line.

        Raises: TrainingError when the disk is full or the folder cannot be written.
        """
        with self._writing(), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values, ensure_ascii=False) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps, and a half-written last one: a resumed run takes those steps again.

        Raises: TrainingError when the disk is full or the folder cannot be written.
        """
        if not self.path.exists():
            return
        kept = [line for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True) if _step(line) <= step]
        with self._writing():
            write_atomically(self.path, [line.encode() for line in kept])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"{self.path} cannot be written to: {error.strerror or error}; the checkpoints are unchanged"
            ) from None


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
