"""From what a user calls a data set to its files: a path, a folder that holds it by name, or the Hub."""

from collections.abc import Sequence
from pathlib import Path

from cutaway.data.source_file import HUB
from cutaway.errors import EvaluationError


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
    return sorted(found.iterdir()) if found.is_dir() else [found]
