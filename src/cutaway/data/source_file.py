"""Finding the files of a corpus: paths, folders and patterns become a list in a fixed order."""

import glob
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self, TypeAlias

from cutaway.data.fault import writing_to
from cutaway.errors import DataError, did_you_mean

Kind: TypeAlias = Literal["txt", "jsonl", "csv", "tsv", "parquet"]

KINDS: dict[str, Kind] = {
    ".txt": "txt",
    ".text": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
COMPRESSIONS = (".gz", ".zst", ".xz")
HUB = "hub:"
STDIN = "-"
STDIN_FILE = ".stdin"


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a corpus."""

    path: Path
    name: str
    """The path below the folder or pattern that was given, the same on every machine."""
    size: int
    """Bytes on disk."""
    kind: Kind
    compression: str = ""
    """The suffix of the compression; empty for none."""

    @classmethod
    def at(cls, path: Path, name: str, kind: Kind | None = None) -> Self:
        """The file at a path; its kind follows from the name, and is plain text for an unknown one."""
        found, compression = kind_and_compression(path)
        kind = kind or found or "txt"
        return cls(path=path, name=name, size=path.stat().st_size, kind=kind, compression=compression)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The files to read, in order, and those in the given folders that are of no known kind."""

    files: tuple[SourceFile, ...]
    skipped: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)


Fetch: TypeAlias = Callable[[str], list[tuple[Path, str]]]
"""Brings what `hub:owner/name` stands for to this machine: where each file is, and what to call it."""


def find(sources: Sequence[str], kind: Kind | None = None, fetch: Fetch | None = None) -> Corpus:
    """The files that paths, folders and patterns such as `books/**/*.txt` stand for, each once.

    A folder gives its files of known kinds, hidden ones excepted; a file that is named is taken whatever its name.
    Sources that begin with `hub:` are left to `fetch`.

    Raises: DataError when something does not exist, or nothing is found.
    """
    files: dict[Path, SourceFile] = {}
    skipped: list[str] = []
    for source in sources:
        if fetch is not None and source.startswith(HUB):
            # By their names: two files of equal content are one in the cache, and two in the corpus.
            files |= {Path(name): SourceFile.at(path, name, kind) for path, name in fetch(source.removeprefix(HUB))}
            continue
        for path, name in _paths(source):
            if Path(source).is_dir() and kind_and_compression(path)[0] is None:
                skipped.append(name)
            else:
                files.setdefault(path.resolve(), SourceFile.at(path, name, kind))
    if not files:
        raise DataError(_nothing_in(sources, skipped))
    return Corpus(files=tuple(files.values()), skipped=tuple(skipped))


def spool(stream: BinaryIO, folder: Path, kind: Kind | None) -> SourceFile:
    """Standard input as a file in the output folder, for a corpus is read more than once.

    Raises: DataError when the folder cannot be written to.
    """
    path = folder / STDIN_FILE
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
    return SourceFile.at(path, "standard input", kind or "txt")


def kind_and_compression(path: Path) -> tuple[Kind | None, str]:
    """What the end of a name says."""
    compression = path.suffix.lower() if path.suffix.lower() in COMPRESSIONS else ""
    inner = path.with_suffix("") if compression else path
    return KINDS.get(inner.suffix.lower()), compression


def _paths(source: str) -> list[tuple[Path, str]]:
    path = Path(source)
    if path.is_file():
        return [(path, path.name)]
    if path.is_dir():
        below = sorted(entry.relative_to(path) for entry in path.rglob("*") if entry.is_file())
        return [(path / entry, entry.as_posix()) for entry in below if not _is_hidden(entry)]
    matches = sorted(Path(match) for match in glob.glob(source, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [match for match in matches if match.is_file()]
    if not files:
        raise DataError(f"there is no file or folder {source!r}{_near(path)}")
    return [(file, file.as_posix()) for file in files]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _near(path: Path) -> str:
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, siblings)
    return f"; {hint}" if hint.startswith("did you mean") else "; check the path"


def _nothing_in(sources: Sequence[str], skipped: Sequence[str]) -> str:
    known = " ".join(KINDS)
    also = f"; {len(skipped)} files of other kinds, such as {skipped[0]!r}, can be named one by one" if skipped else ""
    return f"the corpus is empty: there is no file that ends in {known} in {', '.join(sources) or 'nothing'}{also}"
