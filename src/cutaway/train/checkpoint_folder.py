"""The checkpoints of a run: folders that appear whole or not at all, of which the latest and the best stay.

    RUN/checkpoints/step-000001000/   model.safetensors, config.json and the tokenizer: a model like any other
                                      state.safetensors: what the run remembers besides
                                      optimizer/: of sharded weights, a file from each process
                                      checkpoint.json: configuration, versions, data, and the checksum of every file
    RUN/latest, RUN/best              links to two of them

A checkpoint is written beside its place, forced onto the disk, and then renamed, which the system does at once or
not at all. So whenever the process is killed, what stands there under its name is complete.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cutaway.errors import CheckpointError, TrainingError
from cutaway.train.checkpoint import RunState, load_run, save_run

FOLDER, RECORD, STATE, OPTIMIZER = "checkpoints", "checkpoint.json", "state.safetensors", "optimizer"
LATEST, BEST = "latest", "best"
NAME = re.compile(r"step-(\d{9,})")
UNFINISHED = ".step-"
MAX_RECORD_BYTES = 16 << 20

Record = Mapping[str, Any]
WriteModel = Callable[[Path], None]
"""Makes a folder and fills it with what the run has learned."""


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, out: Path, keep: int) -> None:
        self.out, self.folder, self.keep = out, out / FOLDER, keep

    def prepare(self) -> None:
        """Make the folder, and clear away what a killed process left unfinished.

        Raises: TrainingError when it cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob(f"{UNFINISHED}*"):
                shutil.rmtree(leftover, ignore_errors=True)
        except OSError as error:
            reason = error.strerror or error
            raise TrainingError(f"{self.out} cannot be written to: {reason}; choose another `out`") from None

    def all(self) -> list[Path]:
        """The checkpoints, the oldest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted((path for path in found if NAME.fullmatch(path.name)), key=step_of)

    def path_of(self, step: int) -> Path:
        """Where the checkpoint of a step belongs."""
        return self.folder / f"step-{step:09}"

    def shares_of(self, step: int) -> Path:
        """Where several processes write what they remember of their shards, before it becomes part of a checkpoint."""
        return self.folder / f"{UNFINISHED}{step:09}.shares"

    def latest(self) -> Path | None:
        """The newest checkpoint, if there is one."""
        return next(reversed(self.all()), None)

    def best(self) -> Path | None:
        """The checkpoint that predicted the held-out texts best, if any was measured."""
        measured = [(loss, path) for path in self.all() if (loss := held_out_loss(path)) is not None]
        return min(measured, default=(0, None), key=lambda pair: pair[0])[1]

    def save(self, state: RunState, write_model: WriteModel, record: Record) -> Path:
        """Write the checkpoint of a step, then let go of those no longer kept.

        Raises: TrainingError when it cannot be written; those before are unchanged.
        """
        path = self.path_of(state.step)
        if not path.exists():
            try:
                self._write(path, state, write_model, record)
            except (OSError, CheckpointError, TrainingError) as error:
                good = self.latest()
                way_out = f"the last good checkpoint is {good}" if good else "there is no checkpoint yet"
                raise TrainingError(
                    f"the checkpoint of step {state.step:,} cannot be saved to {self.folder} ({error}); {way_out}"
                ) from None
        shutil.rmtree(self.shares_of(state.step), ignore_errors=True)
        self._rotate()
        return path

    def _write(self, path: Path, state: RunState, write_model: WriteModel, record: Record) -> None:
        temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        try:
            new = temporary / path.name
            write_model(new)
            save_run(state, new / STATE)
            if (shares := self.shares_of(state.step)).is_dir():
                shares.rename(new / OPTIMIZER)
                sync_folder(new / OPTIMIZER)
            files = [file for file in sorted(new.rglob("*")) if file.is_file()]
            checksums = {file.relative_to(new).as_posix(): file_sha256(file) for file in files}
            content = json.dumps({**record, "step": state.step, "sha256": checksums}, indent=1, ensure_ascii=False)
            write_synced(new / RECORD, content + "\n")
            sync_folder(new)
            new.rename(path)
            sync_folder(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _rotate(self) -> None:
        every, best = self.all(), self.best()
        for path in every[: -self.keep]:
            if path != best:
                # Renamed first: a checkpoint that is half deleted must not look like one.
                gone = self.folder / f"{UNFINISHED}{path.name}.old"
                path.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
        for name, target in ((LATEST, every[-1]), (BEST, best)):
            if target is not None:
                point(self.out / name, target)


def read_checkpoint(path: Path, *, check: bool = True) -> tuple[RunState, Record]:
    """The state in a checkpoint and what it says of itself, after every file was found to be as it was written.

    Without `check`, as when another process sees to that, they are not looked at.

    Raises: TrainingError when a file is missing or altered.
    """
    record = read_record(path)
    for name, checksum in record["sha256"].items() if check else ():
        file = path / name
        if not file.is_file() or file_sha256(file) != checksum:
            raise TrainingError(f"{file} is missing or damaged; delete {path} to go on from the checkpoint before it")
    return load_run(path / STATE), record


def read_record(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself.

    Raises: TrainingError when that is missing or damaged.
    """
    file = path / RECORD
    try:
        with file.open("rb") as stream:
            record = json.loads(stream.read(MAX_RECORD_BYTES))
        if not isinstance(record, dict) or not isinstance(record["sha256"], dict):
            raise ValueError("it is not the record of a checkpoint")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise TrainingError(
            f"{file} cannot be read ({error}); delete {path} to go on from the checkpoint before it"
        ) from None
    return record


def held_out_loss(path: Path) -> float | None:
    """The loss on held-out texts that a checkpoint had; None where none was measured."""
    loss = read_record(path).get("held_out_loss")
    return float(loss) if isinstance(loss, int | float) else None


def step_of(path: Path) -> int:
    """The step in the name of a checkpoint."""
    found = NAME.fullmatch(path.name)
    return int(found[1]) if found else -1


def point(link: Path, target: Path) -> None:
    """Let a link lead to a checkpoint from now on, where the system has links; they are only a convenience."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    with contextlib.suppress(OSError, NotImplementedError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target.relative_to(link.parent), target_is_directory=True)
        temporary.replace(link)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_synced(path: Path, content: str) -> None:
    """Write a new file and have the disk, not just the operating system, hold it."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Have the disk hold the names in a folder, where folders can be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
