"""A unit of work: some megabytes of text that one process turns into shards, whole or not at all.

Where units begin and end depends on the corpus and the settings alone. So any number of processes and machines make
the same files, and what a killed run has finished can be told from what it has not.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from cutaway.data.fault import writing_to
from cutaway.data.pieces import Piece
from cutaway.data.shard import VocabularyStamp, token_dtype, write_shard
from cutaway.data.split import SPLITS, Split, SplitName
from cutaway.errors import DataError


class Encoder(Protocol):
    """What a tokenizer must offer for data to be prepared with it. It must survive pickling."""

    @property
    def n_vocab(self) -> int:
        """How many ids there are."""

    @property
    def eot(self) -> int | None:
        """The id that goes after each document, if there is one."""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the vocabulary, in hexadecimal."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""

    def save(self, path: Path) -> None:
        """Write the files of the tokenizer into a folder."""


class SplitPiece(NamedTuple):
    """A piece of a document, ready to be sent to another process."""

    text: bytes
    split: SplitName
    ends: bool


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What one process encodes at a time."""

    name: str
    """The segment and its part, as in `00002-00017`."""
    pieces: tuple[SplitPiece, ...]
    digest: str
    """Stands for the text and its split, in hexadecimal."""


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """What the manifest says about a shard."""

    file: str
    split: str
    n_tokens: int
    n_documents: int
    text_bytes: int
    sha256: str

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The record that was written as a JSON object.

        Raises: TypeError when it was not.
        """
        record = cls(**values)
        if any(not isinstance(getattr(record, name), kind) for name, kind in cls.__annotations__.items()):
            raise TypeError(f"{values!r} is no record of a shard")
        return record


@dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """A finished unit."""

    name: str
    digest: str
    shards: tuple[ShardRecord, ...]

    def to_dict(self) -> dict[str, Any]:
        """The record, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The record that was written as a JSON object.

        Raises: TypeError, KeyError or AttributeError when it was not.
        """
        shards = tuple(map(ShardRecord.from_dict, values["shards"]))
        return cls(name=str(values["name"]), digest=str(values["digest"]), shards=shards)


def pack_units(pieces: Iterable[Piece], split: Split, segment: int, unit_bytes: int) -> Iterator[Unit]:
    """Units of at least `unit_bytes` of text, the last one excepted."""
    packed: list[SplitPiece] = []
    part, size, side, digest, documents = 0, 0, SPLITS[0], hashlib.blake2b(digest_size=16), 0
    for piece in pieces:
        text = piece.text.encode()
        fingerprint = split.digest(text)
        if piece.begins:
            side, documents = split.of(fingerprint, documents), documents + 1
        packed.append(SplitPiece(text, side, piece.ends))
        digest.update(fingerprint + bytes([piece.ends, SPLITS.index(side)]))
        size += len(text)
        if size >= unit_bytes:
            yield Unit(name=unit_name(segment, part), pieces=tuple(packed), digest=digest.hexdigest())
            packed, part, size, digest = [], part + 1, 0, hashlib.blake2b(digest_size=16)
    if packed:
        yield Unit(name=unit_name(segment, part), pieces=tuple(packed), digest=digest.hexdigest())


def unit_name(segment: int, part: int) -> str:
    """Names that sort as the corpus does."""
    return f"{segment:05d}-{part:05d}"


def encode_unit(unit: Unit, encoder: Encoder, folder: Path) -> UnitRecord:
    """Write the shards of a unit: one for each split that has text in it.

    Raises: DataError when the folder cannot be written to.
    """
    shards = tuple(_write_split(unit, split, encoder, folder) for split in _splits_of(unit))
    return UnitRecord(name=unit.name, digest=unit.digest, shards=shards)


def _splits_of(unit: Unit) -> list[SplitName]:
    present = {piece.split for piece in unit.pieces}
    return [split for split in SPLITS if split in present]


def _write_split(unit: Unit, split: SplitName, encoder: Encoder, folder: Path) -> ShardRecord:
    dtype, rows, ends, count = token_dtype(encoder.n_vocab), [], [], 0
    pieces = [piece for piece in unit.pieces if piece.split == split]
    for piece in pieces:
        ids = encoder.encode(piece.text.decode())
        if piece.ends and encoder.eot is not None:
            ids.append(encoder.eot)
        rows.append(np.array(ids, dtype))
        count += len(ids)
        if piece.ends:
            ends.append(count)
    file = f"{split}-{unit.name}.bin"
    stamp = VocabularyStamp(n_vocab=encoder.n_vocab, fingerprint=encoder.fingerprint)
    with writing_to(folder):
        digest = write_shard(folder / file, np.concatenate(rows), np.array(ends, np.uint64), stamp)
    return ShardRecord(
        file=file,
        split=split,
        n_tokens=count,
        n_documents=len(ends),
        text_bytes=sum(len(piece.text) for piece in pieces),
        sha256=digest,
    )


def check_encoder(encoder: Encoder) -> None:
    """Refuse a vocabulary that shards cannot hold.

    Raises: DataError saying which limit it breaks.
    """
    if encoder.n_vocab > 1 << 32:
        raise DataError(f"a vocabulary of {encoder.n_vocab:,} tokens is too large for shards; the most is {1 << 32:,}")
