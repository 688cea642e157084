"""What a run reports, one JSON object a line."""

import json
import os
from pathlib import Path


class RunLog:
    """A file of lines that each have a `step`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, **values: object) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps, and a half-written last one: a resumed run takes those steps again."""
        if not self.path.exists():
            return
        kept = [line for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True) if _step(line) <= step]
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(kept)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
