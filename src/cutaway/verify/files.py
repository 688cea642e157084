"""The files of a model: whether they are the bytes they should be."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cutaway.errors import ConfigError
from cutaway.verify.check import Check, failed, passed
from cutaway.weights.locate import ModelFiles
from cutaway.weights.shards import INDEX_SUFFIX, shard_files

BESIDE = ("config.json", "tokenizer.json", "vocab.json", "merges.txt", "characters.json")

SHA256 = re.compile(r"[0-9a-f]{64}")

CAUSE = "a download that was cut off or altered on its way, or a file that was written since; fetch it again"


def file_checks(
    files: ModelFiles, asked: Mapping[str, str], published: Mapping[str, Mapping[str, Any]]
) -> Iterator[Check]:
    """The hash of every file, against the one asked for, the one the Hub gave it, or the published one, if any.

    Raises: ConfigError when a hash is asked for of a file that is not there.
    """
    paths = model_files(files)
    if unknown := asked.keys() - {path.name for path in paths}:
        raise ConfigError(f"there is no file {min(unknown)!r} to compare a hash with; the model has {_names(paths)}")
    for path in paths:
        yield file_check(path, asked.get(path.name), published.get(path.name, {}))


def file_check(path: Path, asked: str | None, published: Mapping[str, Any]) -> Check:
    """The hash of one file.

    A file that was saved anew has other bytes than the published one and may hold the same numbers, so only one of
    the published length must have the published hash.
    """
    name, size, found = f"file {path.name}", path.stat().st_size, file_sha256(path)
    about = f"{size:,} bytes, SHA-256 {found}"
    for expected, whose in (
        (asked, "asked for"),
        (hub_sha256(path), "the Hub's"),
        (published.get("sha256"), "published"),
    ):
        if expected is None:
            continue
        if expected == found:
            return passed(name, f"{about}, which is {whose}" if whose == "the Hub's" else f"{about}, as {whose}")
        if whose != "published" or published.get("bytes") == size:
            return failed(name, expected=f"SHA-256 {expected}, {whose}", seen=about, cause=CAUSE)
        return passed(name, f"{about}; not the bytes of the published file, so the numbers decide")
    return passed(name, f"{about}; no published hash known here")


def model_files(files: ModelFiles) -> list[Path]:
    """The files that make the model; those of the weights first.

    Raises: CheckpointError when the index is damaged, or a file that it names is not there.
    """
    index = [files.weights] if files.weights.name.endswith(INDEX_SUFFIX) else []
    beside = (files.folder / name for name in BESIDE)
    return [*index, *shard_files(files.weights), *(path for path in beside if path.is_file())]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hub_sha256(path: Path) -> str | None:
    """What the Hub said a large file in its cache hashes to: there it is stored under its SHA-256, and linked to."""
    blob = path.resolve()
    return blob.name if path.is_symlink() and blob.parent.name == "blobs" and SHA256.fullmatch(blob.name) else None


def asked_hashes(values: tuple[str, ...], files: ModelFiles) -> dict[str, str]:
    """Hashes by file name, from `HASH`, which means the weight file, or `NAME=HASH`.

    Raises: ConfigError for something else.
    """
    asked: dict[str, str] = {}
    for value in values:
        name, _, digest = value.rpartition("=")
        if not SHA256.fullmatch(digest.lower()):
            raise ConfigError(f"{value!r} is no SHA-256; give 64 hexadecimal digits, or NAME=DIGITS")
        asked[name or files.weights.name] = digest.lower()
    return asked


def _names(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths)
