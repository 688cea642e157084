"""Prepared data, opened for reading."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from cutaway.data.manifest import Manifest
from cutaway.data.shard import Shard
from cutaway.data.tokens import Tokens
from cutaway.errors import DataError

OPEN_SHARDS = 1024
"""The system limits how many files a process may map, on Linux to 65,530."""


class TokenFolder:
    """A folder that `cutaway prepare` has filled.

    Raises: DataError when it is not finished, or was made with another vocabulary than the one expected.
    """

    def __init__(self, path: str | Path, fingerprint: str | None = None) -> None:
        self.path = Path(path)
        self.manifest = Manifest.read(self.path)
        if fingerprint is not None and fingerprint != self.manifest.fingerprint:
            raise DataError(
                f"{path} was made with another vocabulary ({self.manifest.n_vocab:,} tokens, "
                f"{self.manifest.fingerprint[:12]}…) than the one given ({fingerprint[:12]}…); use that one, or "
                "prepare the data again"
            )

    def tokens(self, split: str = "train") -> Tokens:
        """The tokens of a split.

        Raises: DataError when there is no such split, or a shard is missing, truncated or of another vocabulary.
        """
        records = self.manifest.of(split)
        if not records:
            raise DataError(f"{self.path} has no {split} tokens; prepare it with another --validation")
        for record in records:
            header = self.shard(record.file).header
            if (header.n_tokens, header.n_documents) != (record.n_tokens, record.n_documents):
                raise DataError(f"{self.path / record.file} is not the file that the manifest lists; prepare it again")
        open_shard = lru_cache(OPEN_SHARDS)(lambda index: self.shard(records[index].file))
        return Tokens(open_shard, [record.n_tokens for record in records], self.manifest.eot)

    def verify(self) -> Iterator[str]:
        """Read every file and compare it with its checksums; the name of each as it is found to be whole.

        Raises: DataError naming the first file that is damaged.
        """
        for record in self.manifest.shards:
            shard = self.shard(record.file)
            shard.verify()
            if file_sha256(shard.path) != record.sha256:
                raise DataError(f"{shard.path} is not the file that the manifest lists; prepare it again")
            yield record.file

    def shard(self, file: str) -> Shard:
        """One shard by the name of its file.

        Raises: DataError when it is missing, truncated, altered or of another vocabulary.
        """
        return Shard(self.path / file, self.manifest.fingerprint)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
