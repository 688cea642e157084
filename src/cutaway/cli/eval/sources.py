"""From what a user calls a data set to its files: a path, a folder that holds it by name, or the Hub."""

from collections.abc import Sequence
from pathlib import Path

from cutaway.data.source_file import HUB, kind_and_compression
from cutaway.errors import EvaluationError

RECORDS = ("jsonl", "csv", "tsv", "parquet")


def find_files(name: str, data: str | None, names: Sequence[str], hub: str) -> list[Path]:
    """The files of a set: `data` itself if it is a file, those of that name in it if it is a folder, or from the Hub.

    Raises: EvaluationError when they are not there; DataError when the Hub cannot be reached.
    """
    if data is None or data.startswith(HUB):
        from cutaway.weights.hub_dataset import fetch_dataset

        return [path for path, _ in fetch_dataset(hub if data is None else data.removeprefix(HUB))]
    path = Path(data).expanduser()
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise EvaluationError(f"there is no file or folder {data!r}; check --data")
    found = next((path / file for file in names if (path / file).exists()), None)
    if found is None:
        raise EvaluationError(f"{path} holds no file for {name}; it would be called {' or '.join(names)}")
    return files_below(found) if found.is_dir() else [found]


def files_below(folder: Path) -> list[Path]:
    """The files of records in a folder, in order: a set that comes in many, beside its licence and the like.

    Raises: EvaluationError when there is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and kind_and_compression(path)[0] in RECORDS)
    if not files:
        raise EvaluationError(f"{folder} holds no JSON Lines, CSV or Parquet; check --data")
    return files
