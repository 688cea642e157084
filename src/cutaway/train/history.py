"""The log of a run, read back as curves."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cutaway.errors import TrainingError
from cutaway.train.log import LOG

MAX_LINE_BYTES = 1 << 20

Points = list[tuple[float, float]]


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; `run` is its folder, or the log itself.

    Raises: TrainingError when there is none, or it is something else.
    """
    path = run / LOG if run.is_dir() else run
    try:
        with path.open(encoding="utf-8") as file:
            lines = [json.loads(line) for line in complete_lines(file.readline)]
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}; give the folder of a run") from None
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is not the log of a run: {error}") from None
    if not all(isinstance(line, dict) and isinstance(line.get("step"), int) for line in lines):
        raise TrainingError(f"{path} is not the log of a run: a line has no step")
    return lines


def complete_lines(read_line: Any) -> Iterator[str]:
    """Lines that end: a run that is going on may be about to write the rest of the last one.

    Raises: ValueError when one is too long to be ours.
    """
    while (line := read_line(MAX_LINE_BYTES)).endswith("\n"):
        yield line
    if len(line) == MAX_LINE_BYTES:
        raise ValueError("it has a line without end")


def curves(lines: list[dict[str, Any]], key: str, along: str = "step") -> dict[str, Points]:
    """The values of a key along the steps or the seconds: one curve, or one for each text that was held out."""
    found: dict[str, Points] = {}
    for line in lines:
        if key in line:
            value = line[key]
            named = value if isinstance(value, Mapping) else {"": value}
            for name, number in named.items():
                found.setdefault(name, []).append((float(line[along]), float(number)))
    return found
