"""A shard: a file of token ids that says what it holds, so that nobody trains on the wrong or on half a file.

    128 bytes     header: magic, version, bytes per token, vocabulary, counts, checksums
    8 × documents where each document ends, as the number of tokens before that place
    2 or 4 × tokens   the ids

All numbers are little-endian. A document that goes on in the next shard has no end in this one.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutaway.atomic_file import write_atomically
from cutaway.errors import DataError

Ids: TypeAlias = NDArray[np.unsignedinteger[Any]]
Ends: TypeAlias = NDArray[np.uint64]

MAGIC = b"CUTAWAY\n"
VERSION = 1
HEADER_BYTES = 128
FIELDS = struct.Struct("<8sIIQQQ32s32s")
CHECKSUM = struct.Struct("<I")
END_BYTES = 8
DTYPES: dict[int, type[np.unsignedinteger[Any]]] = {2: np.uint16, 4: np.uint32}


def token_dtype(n_vocab: int) -> np.dtype[Any]:
    """The smallest number format that holds every id of a vocabulary."""
    return np.dtype("<u2" if n_vocab <= 1 << 16 else "<u4")


@dataclass(frozen=True, kw_only=True)
class VocabularyStamp:
    """Which vocabulary ids belong to."""

    n_vocab: int
    fingerprint: str
    """SHA-256 in hexadecimal."""


@dataclass(frozen=True, kw_only=True)
class ShardHeader:
    """What the first 128 bytes say."""

    token_bytes: int
    n_vocab: int
    n_tokens: int
    n_documents: int
    fingerprint: str
    body_sha256: str

    @property
    def file_bytes(self) -> int:
        """How long the file must be."""
        return HEADER_BYTES + END_BYTES * self.n_documents + self.token_bytes * self.n_tokens

    def pack(self) -> bytes:
        """The header as bytes, its own checksum last."""
        identity = bytes.fromhex(self.fingerprint), bytes.fromhex(self.body_sha256)
        counts = self.token_bytes, self.n_vocab, self.n_tokens, self.n_documents
        fields = FIELDS.pack(MAGIC, VERSION, *counts, *identity)
        return (fields + CHECKSUM.pack(zlib.crc32(fields))).ljust(HEADER_BYTES, b"\0")

    @classmethod
    def unpack(cls, content: bytes, source: str) -> Self:
        """The header in the first bytes of a file.

        Raises: DataError when it is none of ours, of another version, or altered.
        """
        if not content.startswith(MAGIC):
            raise DataError(f"{source} is not a token shard; prepare the data with `cutaway prepare`")
        if len(content) < HEADER_BYTES:
            raise DataError(
                f"{source} is truncated: it has {len(content)} bytes, fewer than its header; prepare it again"
            )
        fields = content[: FIELDS.size]
        _, version, token_bytes, n_vocab, n_tokens, n_documents, fingerprint, digest = FIELDS.unpack(fields)
        if version != VERSION:
            raise DataError(f"{source} has format version {version}, this program reads {VERSION}; prepare it again")
        if content[FIELDS.size :] != CHECKSUM.pack(zlib.crc32(fields)).ljust(HEADER_BYTES - FIELDS.size, b"\0"):
            raise DataError(f"{source} was altered: the checksum of its header does not fit; prepare it again")
        if token_bytes not in DTYPES:
            raise DataError(f"{source} has {token_bytes} bytes a token, not 2 or 4; prepare it again")
        return cls(
            token_bytes=token_bytes,
            n_vocab=n_vocab,
            n_tokens=n_tokens,
            n_documents=n_documents,
            fingerprint=fingerprint.hex(),
            body_sha256=digest.hex(),
        )


def write_shard(path: Path, tokens: Ids, ends: Ends, vocabulary: VocabularyStamp) -> str:
    """Write a shard atomically; the SHA-256 of the whole file."""
    dtype = token_dtype(vocabulary.n_vocab)
    body = [ends.astype("<u8", copy=False).tobytes(), tokens.astype(dtype, copy=False).tobytes()]
    header = ShardHeader(
        token_bytes=dtype.itemsize,
        n_vocab=vocabulary.n_vocab,
        n_tokens=len(tokens),
        n_documents=len(ends),
        fingerprint=vocabulary.fingerprint,
        body_sha256=_sha256(body),
    ).pack()
    write_atomically(path, [header, *body])
    return _sha256([header, *body])


class Shard:
    """A shard on disk, mapped rather than read.

    Raises: DataError when the file is missing, truncated, altered, or of another vocabulary than the one expected.
    """

    def __init__(self, path: Path, fingerprint: str | None = None) -> None:
        self.path, self.header = path, read_header(path)
        if fingerprint is not None and fingerprint != self.header.fingerprint:
            raise DataError(
                f"{path} was made with another vocabulary ({self.header.fingerprint[:12]}…, {self.header.n_vocab:,} "
                f"tokens) than the one given ({fingerprint[:12]}…); use that one, or prepare the data again"
            )
        self.ends = self._map("<u8", HEADER_BYTES, self.header.n_documents)
        ids_at = HEADER_BYTES + END_BYTES * self.header.n_documents
        self.tokens = self._map(f"<u{self.header.token_bytes}", ids_at, self.header.n_tokens)

    def __len__(self) -> int:
        return self.header.n_tokens

    def verify(self) -> None:
        """Read everything and compare it with the checksum.

        Raises: DataError saying what is wrong.
        """
        if _sha256([self.ends, self.tokens]) != self.header.body_sha256:
            raise DataError(f"{self.path} was altered: its checksum does not fit; prepare it again")
        if len(self) and self.tokens.max() >= self.header.n_vocab:
            raise DataError(
                f"{self.path} holds id {self.tokens.max()}, but the vocabulary has {self.header.n_vocab:,} tokens; "
                "prepare it again"
            )
        if len(self.ends) and (self.ends[-1] > len(self) or (np.diff(self.ends.astype(np.int64)) <= 0).any()):
            raise DataError(f"{self.path} has document ends that are out of order; prepare it again")

    def _map(self, dtype: str, offset: int, count: int) -> NDArray[Any]:
        if not count:
            return np.empty(0, dtype)  # nothing cannot be mapped
        return np.asarray(np.memmap(self.path, dtype, mode="r", offset=offset, shape=(count,)))


def read_header(path: Path) -> ShardHeader:
    """The header of a shard, after a look at whether the file is as long as it says.

    Raises: DataError when the file is missing, truncated, or no shard.
    """
    try:
        with path.open("rb") as stream:
            header = ShardHeader.unpack(stream.read(HEADER_BYTES), source=str(path))
        found = path.stat().st_size
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; prepare the data again") from None
    if found < header.file_bytes:
        raise DataError(
            f"{path} is truncated: {found:,} bytes of {header.file_bytes:,}; copy it again, or prepare it again"
        )
    if found > header.file_bytes:
        raise DataError(
            f"{path} was altered: {found:,} bytes instead of {header.file_bytes:,}; copy it again, or prepare it again"
        )
    return header


def _sha256(parts: list[Any]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
