"""What is to be prepared: everything that decides the contents of the shards, and nothing else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Self

from cutaway.config import check_integer
from cutaway.data.fragments import FileReader, Fragment
from cutaway.data.pieces import Piece, cut_pieces
from cutaway.data.source_file import Corpus, SourceFile
from cutaway.data.split import Split, end_document_at, fitted_split, share_split
from cutaway.data.unit import Encoder, Unit, pack_units
from cutaway.errors import ConfigError, DataError

SURVEYED_BYTES = 32 << 20
"""Corpora up to about this much text are read once more beforehand, for a split that leaves neither side empty."""
COMPRESSION = 4
"""About how many bytes of text are in one of a compressed file."""


@dataclass(frozen=True, kw_only=True)
class PrepareSettings:
    """What one may choose, apart from the tokenizer.

    Raises: ConfigError when a value is impossible.
    """

    validation: float = 0.01
    """The share of the documents that is kept for validation."""
    seed: int = 0
    """Decides which documents those are."""
    field: str = "text"
    """Where the text is in JSON Lines, CSV and Parquet."""
    separator: str | None = None
    """What separates documents in plain text; None takes each file for one document."""
    unit_bytes: int = 8 << 20
    """How much text goes into one shard; more makes larger shards and takes more memory."""

    def __post_init__(self) -> None:
        if isinstance(self.validation, bool) or not isinstance(self.validation, int | float):
            raise ConfigError(f"validation={self.validation!r} must be a share from 0 up to, but not including, 1")
        if not 0 <= self.validation < 1:
            fault = "would be larger than the corpus" if self.validation >= 1 else "is no share of the corpus"
            raise ConfigError(
                f"validation={self.validation} {fault}; it is from 0 up to, but not including, 1, such as 0.01"
            )
        check_integer("seed", self.seed, 0, (1 << 63) - 1)
        check_integer("unit_bytes", self.unit_bytes, 1 << 10, 1 << 30)
        if not self.field or self.separator == "":
            raise ConfigError("field and separator must not be empty; leave them out instead")


@dataclass(frozen=True, kw_only=True)
class Share:
    """One machine's part of the work: the `index`-th of `count`, from 1.

    Raises: ConfigError when a value is impossible.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        check_integer("the number of shares", self.count, 1, 1 << 20)
        check_integer("the share", self.index, 1, self.count)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The share that is written as in `2/3`.

        Raises: ConfigError for anything else.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if not found:
            raise ConfigError(f"a share is written i/n, such as 2/3 for the second of three, not {text!r}")
        return cls(index=int(found[1]), count=int(found[2]))

    def has(self, segment: int) -> bool:
        """Whether this machine takes that segment."""
        return segment % self.count == self.index - 1


class Job:
    """A corpus, a tokenizer and the settings: from these the shards follow.

    Raises: DataError when the corpus is empty or cannot be read.
    """

    def __init__(self, corpus: Corpus, encoder: Encoder, settings: PrepareSettings) -> None:
        if not corpus.size:
            raise DataError("the corpus is empty: its files have no content; give text")
        self.corpus, self.encoder, self.settings = corpus, encoder, settings
        self.segments = group_files(corpus.files, settings.unit_bytes)
        self.split = self._choose_split()

    def description(self) -> dict[str, Any]:
        """What stands in the manifest, and must be the same for work to be taken up again."""
        encoder = self.encoder
        return {
            "tokenizer": {"fingerprint": encoder.fingerprint, "n_vocab": encoder.n_vocab, "eot": encoder.eot},
            "settings": asdict(self.settings),
            "sources": [{"name": file.name, "bytes": file.size} for file in self.corpus.files],
        }

    def reader(self, file: SourceFile) -> FileReader:
        """A reader of one file, with these settings."""
        return FileReader(file, field=self.settings.field, separator=self.settings.separator)

    def units(self, segment: int, readers: Sequence[FileReader]) -> Iterator[Unit]:
        """The units of a segment, read by the readers of its files."""
        fragments: Iterator[Fragment] = chain.from_iterable(reader.fragments() for reader in readers)
        if self.split.cut is not None:
            fragments = end_document_at(fragments, self.split.cut)
        return pack_units(cut_pieces(fragments), self.split, segment, self.settings.unit_bytes)

    def _choose_split(self) -> Split:
        share, seed = self.settings.validation, self.settings.seed
        lone = len(self.corpus.files) == 1 and self.corpus.files[0].kind == "txt" and not self.settings.separator
        if share and (lone or text_bytes(self.corpus) <= SURVEYED_BYTES):
            return fitted_split(all_pieces(self.corpus, self.settings), share, seed)
        return share_split(share, seed)


def all_pieces(corpus: Corpus, settings: PrepareSettings) -> Iterator[Piece]:
    """All text of a corpus, in order."""
    for file in corpus.files:
        yield from cut_pieces(FileReader(file, field=settings.field, separator=settings.separator).fragments())


def text_bytes(corpus: Corpus) -> int:
    """About how much text a corpus has."""
    packed = [file for file in corpus.files if file.compression or file.kind == "parquet"]
    return corpus.size + (COMPRESSION - 1) * sum(file.size for file in packed)


def group_files(files: Sequence[SourceFile], at_least: int) -> list[tuple[SourceFile, ...]]:
    """Neighbouring files in groups of at least that many bytes, the last one excepted."""
    groups: list[tuple[SourceFile, ...]] = []
    group: list[SourceFile] = []
    for file in files:
        group.append(file)
        if sum(member.size for member in group) >= at_least:
            groups.append(tuple(group))
            group = []
    return [*groups, tuple(group)] if group else groups


def refuse_other(found: Mapping[str, Any], wanted: Mapping[str, Any], place: str) -> None:
    """Refuse to go on with what was made from something else.

    Raises: DataError naming the first difference.
    """
    for part in ("tokenizer", "settings"):
        for name, value in wanted[part].items():
            before = found.get(part, {}).get(name) if isinstance(found.get(part), dict) else None
            if before != value:
                raise DataError(
                    f"{place} holds data made with {part} {name}={_short(before)}, not {_short(value)}; "
                    "give another folder, or remove this one"
                )
    if found.get("sources") != wanted["sources"]:
        raise DataError(f"{place} holds data made from other sources; give another folder, or remove this one")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 24 else f"{text[:16]}…"
