"""`manifest.json`: what a folder of shards holds, where it came from, and the checksum of every file."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cutaway.atomic_file import write_atomically
from cutaway.data.fault import writing_to
from cutaway.data.split import SPLITS
from cutaway.data.unit import ShardRecord
from cutaway.errors import DataError

MANIFEST = "manifest.json"
FORMAT = "cutaway token shards"
VERSION = 1
MAX_MANIFEST_BYTES = 256 << 20
"""A million shards."""
SHARD_NAME = re.compile(rf"({'|'.join(SPLITS)})-(\d{{5,}})-(\d{{5,}})\.bin")


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What one split holds."""

    n_tokens: int
    n_documents: int
    text_bytes: int

    @property
    def bytes_per_token(self) -> float:
        """How much text a token stands for."""
        return self.text_bytes / self.n_tokens if self.n_tokens else 0.0


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of a finished folder."""

    job: Mapping[str, Any]
    """What decided the contents: vocabulary, settings and sources by name."""
    shards: tuple[ShardRecord, ...]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the vocabulary, in hexadecimal."""
        return str(self.job["tokenizer"]["fingerprint"])

    @property
    def n_vocab(self) -> int:
        """How many ids there are."""
        return int(self.job["tokenizer"]["n_vocab"])

    @property
    def eot(self) -> int | None:
        """The id after each document, if there is one."""
        eot = self.job["tokenizer"]["eot"]
        return None if eot is None else int(eot)

    @property
    def data_sha256(self) -> str:
        """Stands for all the tokens, in their order."""
        names = [f"{shard.file} {shard.sha256}" for shard in self.shards]
        return hashlib.sha256("\n".join(names).encode()).hexdigest()

    def of(self, split: str) -> tuple[ShardRecord, ...]:
        """The shards of one split, in order."""
        return tuple(shard for shard in self.shards if shard.split == split)

    def totals(self, split: str) -> Totals:
        """The counts of one split."""
        shards = self.of(split)
        return Totals(
            n_tokens=sum(shard.n_tokens for shard in shards),
            n_documents=sum(shard.n_documents for shard in shards),
            text_bytes=sum(shard.text_bytes for shard in shards),
        )

    def to_dict(self) -> dict[str, Any]:
        """The content of the file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            **self.job,
            "splits": {split: asdict(self.totals(split)) for split in SPLITS},
            "data_sha256": self.data_sha256,
            "shards": [asdict(shard) for shard in self.shards],
        }

    def write(self, folder: Path) -> None:
        """Write the file atomically.

        Raises: DataError when the folder cannot be written to.
        """
        with writing_to(folder):
            write_json(folder / MANIFEST, self.to_dict())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a folder.

        Raises: DataError when there is none, or it is not one of ours.
        """
        content = read_json(folder / MANIFEST)
        if content.get("format") != FORMAT or content.get("version") != VERSION:
            raise DataError(f"{folder / MANIFEST} is not a manifest that this program reads; prepare the data again")
        try:
            shards = tuple(map(ShardRecord.from_dict, content["shards"]))
            manifest = cls(job={name: content[name] for name in ("tokenizer", "settings", "sources")}, shards=shards)
            readable = bytes.fromhex(manifest.fingerprint), manifest.n_vocab, manifest.eot
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder / MANIFEST} is damaged ({error}); prepare the data again") from None
        if not all(readable[:2]) or not all(SHARD_NAME.fullmatch(shard.file) for shard in shards):
            raise DataError(f"{folder / MANIFEST} is damaged: it names what is no shard; prepare the data again")
        return manifest


def in_order(shards: Iterable[ShardRecord]) -> tuple[ShardRecord, ...]:
    """Training before validation, each in the order of the corpus."""
    return tuple(sorted(shards, key=_place))


def _place(shard: ShardRecord) -> tuple[int, int, int]:
    found = SHARD_NAME.fullmatch(shard.file)
    if found is None:
        raise DataError(f"{shard.file!r} is not the name of a shard; prepare the data again")
    return [str(split) for split in SPLITS].index(found[1]), int(found[2]), int(found[3])


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically."""
    write_atomically(path, [json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"])


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises: DataError when it is missing, too large, or something else.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_MANIFEST_BYTES + 1)
        if len(content) > MAX_MANIFEST_BYTES:
            raise DataError(f"{path} is larger than {MAX_MANIFEST_BYTES >> 20} MiB, which no manifest is")
        value = json.loads(content)
    except FileNotFoundError:
        raise DataError(
            f"{path.parent} holds no prepared data: there is no {path.name}; run `cutaway prepare`"
        ) from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the folder") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged: it is not JSON; prepare the data again") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} is damaged: it holds no JSON object; prepare the data again")
    return value
