"""From a corpus to token shards, in parallel, and resumable after the process was killed.

A folder in the making holds `.progress/`: what is being made (`job.json`), and a record for each finished unit. A
share that is done replaces its records by one file. When all shares are done they become `manifest.json`, and
`.progress/` goes. The result is the same whatever the number of processes, machines and interruptions.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from cutaway.atomic_file import remove_leftovers
from cutaway.data.fault import writing_to
from cutaway.data.fragments import FileReader
from cutaway.data.job import Job, Share, refuse_other
from cutaway.data.lock import locked
from cutaway.data.manifest import MANIFEST, SHARD_NAME, Manifest, in_order, read_json, write_json
from cutaway.data.shard import read_header
from cutaway.data.split import SPLITS
from cutaway.data.unit import Unit, UnitRecord, check_encoder
from cutaway.data.workers import encode_units
from cutaway.errors import DataError

PROGRESS = ".progress"
JOB = "job.json"
LARGE = 0.5
"""A share of which nobody would want more: of a single short document, all but nothing rounds to all."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the work has come."""

    read_bytes: int
    """Of the share's source files, on disk."""
    total_bytes: int
    n_tokens: int
    kept_units: int
    """Units that an earlier run had finished."""


OnProgress: TypeAlias = Callable[[Progress], None]


def prepare(
    job: Job, folder: Path, *, workers: int = 1, share: Share | None = None, on_progress: OnProgress | None = None
) -> Manifest | None:
    """Do the work, or this machine's share of it, or what is left of it; the manifest once all shares are done.

    Raises: DataError when the folder cannot be written to or holds other data, or a file cannot be read.
    """
    check_encoder(job.encoder)
    if finished := finished_manifest(job, folder):
        with writing_to(folder):
            _tidy(finished, folder)
        return finished
    work = SharedWork(job, folder, share or Share(), on_progress or (lambda progress: None))
    with writing_to(folder):
        (folder / PROGRESS).mkdir(parents=True, exist_ok=True)
    with locked(folder / PROGRESS / f"{work.name}.lock"):
        work.begin()
        work.run(workers)
    return merge(folder)


def finished_manifest(job: Job, folder: Path) -> Manifest | None:
    """The manifest in a folder where this very job is done, and no source has changed since; None elsewhere.

    Raises: DataError when the folder holds other data.
    """
    if not (folder / MANIFEST).exists():
        return None
    manifest = Manifest.read(folder)
    refuse_other(manifest.job, job.description(), str(folder))
    written = (folder / MANIFEST).stat().st_mtime_ns
    if any(file.path.stat().st_mtime_ns > written for file in job.corpus.files):
        return None
    return manifest if all(_is_whole(folder / shard.file) for shard in manifest.shards) else None


class SharedWork:
    """One machine's share of a job, and what of it is done."""

    def __init__(self, job: Job, folder: Path, share: Share, on_progress: OnProgress) -> None:
        self.job, self.folder, self.share, self.on_progress = job, folder, share, on_progress
        self.records: dict[str, UnitRecord] = {}
        self.readers: list[FileReader] = []
        self.size = sum(file.size for segment in self._segments() for file in job.segments[segment])
        self.kept_units, self.n_tokens, self._read_bytes = 0, 0, 0
        self._before: dict[str, UnitRecord] = {}

    @property
    def name(self) -> str:
        """What the share's files are called."""
        return f"share-{self.share.index}-of-{self.share.count}"

    def begin(self) -> None:
        """Make sure that the folder is for this job, and take over what is done.

        Raises: DataError when the folder is for another job or cannot be written to.
        """
        progress, description = self.folder / PROGRESS, self.job.description()
        if (progress / JOB).exists():
            refuse_other(read_json(progress / JOB), description, str(self.folder))
        with writing_to(self.folder):
            write_json(progress / JOB, description)
            (self.folder / MANIFEST).unlink(missing_ok=True)  # of sources that have changed since
            self.job.encoder.save(self.folder)
            for segment in self._segments():
                remove_leftovers(progress, f"{segment:05d}-*.json")
                for split in SPLITS:
                    remove_leftovers(self.folder, f"{split}-{segment:05d}-*.bin")
        self._before = {record.name: record for record in self._recorded()}

    def run(self, workers: int) -> None:
        """Encode what is not done yet, and say that the share is done."""
        todo = self._units_to_do()
        for record in encode_units(todo, self.job.encoder, self.folder, workers):
            with writing_to(self.folder):
                write_json(self.folder / PROGRESS / f"{record.name}.json", record.to_dict())
            self._keep(record)
        self._finish()

    def _units_to_do(self) -> Iterator[Unit]:
        for segment in self._segments():
            self._read_bytes += sum(reader.position for reader in self.readers)
            self.readers = [self.job.reader(file) for file in self.job.segments[segment]]
            for unit in self.job.units(segment, self.readers):
                if before := self._finished(unit):
                    self.kept_units += 1
                    self._keep(before)
                else:
                    yield unit

    def _finished(self, unit: Unit) -> UnitRecord | None:
        """The record of a unit that an earlier run made from the same text, if all its shards are there."""
        record = self._before.get(unit.name)
        if record is None or record.digest != unit.digest:
            return None
        return record if all(_is_whole(self.folder / shard.file) for shard in record.shards) else None

    def _keep(self, record: UnitRecord) -> None:
        self.records[record.name] = record
        self.n_tokens += sum(shard.n_tokens for shard in record.shards)
        read_bytes = self._read_bytes + sum(reader.position for reader in self.readers)
        self.on_progress(
            Progress(read_bytes=read_bytes, total_bytes=self.size, n_tokens=self.n_tokens, kept_units=self.kept_units)
        )

    def _finish(self) -> None:
        progress = self.folder / PROGRESS
        units = [record.to_dict() for record in self.records.values()]
        with writing_to(self.folder):
            write_json(progress / f"{self.name}.json", {"job": self.job.description(), "units": units})
            for segment in self._segments():
                for record in progress.glob(f"{segment:05d}-*.json"):
                    record.unlink()

    def _segments(self) -> list[int]:
        return [segment for segment in range(len(self.job.segments)) if self.share.has(segment)]

    def _recorded(self) -> Iterator[UnitRecord]:
        """What earlier runs say is done, unit by unit or as a whole share."""
        progress = self.folder / PROGRESS
        contents = [read_json(path) for path in progress.glob("[0-9]*.json")]
        if (progress / f"{self.name}.json").exists():
            contents += read_json(progress / f"{self.name}.json").get("units", [])
        for content in contents:
            with suppress(KeyError, TypeError, AttributeError):  # not believed, so done again
                yield UnitRecord.from_dict(content)


def merge(folder: Path) -> Manifest | None:
    """Make one manifest of the finished shares; None while some are missing.

    Raises: DataError when the shares do not belong together, or leave a split without a token.
    """
    progress = folder / PROGRESS
    if not progress.exists():
        return Manifest.read(folder)  # another machine was the last one
    if (files := complete_set(folder)) is None:
        return None
    manifest = joined([read_json(file) for file in files], folder)
    refuse_missing(manifest, folder)
    refuse_empty_split(manifest)
    manifest.write(folder)
    with writing_to(folder):
        _tidy(manifest, folder)
    return manifest


def joined(shares: list[dict[str, Any]], folder: Path) -> Manifest:
    """The manifest of several shares.

    Raises: DataError when they are damaged or do not belong together.
    """
    try:
        for share in shares:
            refuse_other(share["job"], shares[0]["job"], f"a share in {folder}")
        units = [UnitRecord.from_dict(unit) for share in shares for unit in share["units"]]
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"a file in {folder / PROGRESS} is damaged; remove that folder and prepare again") from None
    return Manifest(job=shares[0]["job"], shards=in_order(shard for unit in units for shard in unit.shards))


def complete_set(folder: Path) -> list[Path] | None:
    """The files of all shares, when there are all of some number of shares."""
    present = {path.name for path in (folder / PROGRESS).glob("share-*-of-*.json")}
    for count in sorted({int(name.removesuffix(".json").split("-")[3]) for name in present}):
        names = [f"share-{i + 1}-of-{count}.json" for i in range(count)]
        if present.issuperset(names):
            return [folder / PROGRESS / name for name in names]
    return None


def refuse_missing(manifest: Manifest, folder: Path) -> None:
    """Refuse to put together what is not all there, as when shards of another machine were not copied.

    Raises: DataError naming the first missing or damaged shard.
    """
    for shard in manifest.shards:
        read_header(folder / shard.file)


def refuse_empty_split(manifest: Manifest) -> None:
    """Refuse data with nothing to train on, or none for the validation that was asked for.

    Raises: DataError with the way out.
    """
    share, documents = manifest.job["settings"]["validation"], sum(shard.n_documents for shard in manifest.shards)
    if not manifest.shards:
        raise DataError("the corpus is empty: there is no text in any document; give text")
    if not manifest.of("train"):
        raise DataError(
            f"validation={share} takes all {documents:,} documents and leaves none to train on; lower it, or add text"
        )
    if share and not manifest.of("validation"):
        raise DataError(
            f"validation={share} of {documents:,} documents came out as none; "
            f"{'raise' if share < LARGE else 'lower'} it, or give 0 for no validation"
        )


def _tidy(manifest: Manifest, folder: Path) -> None:
    """Remove what only the work needed."""
    listed = {shard.file for shard in manifest.shards}
    for path in folder.glob("*.bin"):
        if SHARD_NAME.fullmatch(path.name) and path.name not in listed:
            path.unlink()
    remove_leftovers(folder)
    shutil.rmtree(folder / PROGRESS, ignore_errors=True)


def _is_whole(path: Path) -> bool:
    try:
        read_header(path)
    except DataError:
        return False
    return True
