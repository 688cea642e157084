"""A run that is watched: a folder that somebody else may be writing to, or take away."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cutaway.anatomy import anatomy
from cutaway.errors import ConfigError, CutawayError, TrainingError
from cutaway.train.checkpoint_folder import FOLDER, CheckpointFolder, read_record, step_of
from cutaway.train.config import TrainConfig
from cutaway.train.log import LOG
from cutaway.train.log_tail import Cursor, End, Line, Page, read_end, read_on
from cutaway.train.schedule import progress
from cutaway.train.shorthand import SCRATCH

FINAL = "final_bits_per_byte"
"""What only the last line of a finished run holds."""


def watched_runs(given: Sequence[str]) -> dict[str, "WatchedRun"]:
    """The runs in these folders by name: NAME=FOLDER, or that of the folder itself.

    Raises: ConfigError for a name given twice, or one that no address can hold; TrainingError for a folder that is not
        that of a run.
    """
    runs: dict[str, WatchedRun] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals or Path(text).is_dir():
            name, folder = Path(text).resolve().name, text
        if name in runs:
            raise ConfigError(f"two runs would be shown as {name!r}; name one differently, as in other={folder}")
        if not name or "/" in name:
            raise ConfigError(f"a run cannot be shown as {name!r}; give it a name without '/', as in mine={folder}")
        runs[name] = WatchedRun(name, Path(folder).resolve())
        runs[name].check()
    return runs


class WatchedRun:
    """One run, by its name and the folder that its configuration calls `out`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._known: tuple[Path, TrainConfig] | None = None

    def check(self) -> None:
        """See that it is the folder of a run.

        Raises: TrainingError when it is not.
        """
        if not (self.folder / LOG).is_file() and not (self.folder / FOLDER).is_dir():
            raise TrainingError(
                f"{str(self.folder)!r} is not the folder of a run, for it holds neither {LOG} nor {FOLDER}; "
                "give the `out` of a `cutaway train` that has begun"
            )
        read_end(self.folder)

    def log(self, since: Cursor) -> Page:
        """The lines of the log after a cursor.

        Raises: TrainingError when they cannot be read.
        """
        return read_on(self.folder, since)

    def latest(self) -> Path | None:
        """The newest checkpoint; None before the first.

        Raises: OSError when the folder cannot be looked into.
        """
        return CheckpointFolder(self.folder, keep=1).latest()

    def config(self, checkpoint: Path) -> TrainConfig | None:
        """The run's configuration, as one of its checkpoints has it; None where that cannot be understood here."""
        if self._known is None or self._known[0] != checkpoint:
            config = understood(checkpoint)
            self._known = (checkpoint, config) if config else None
        return self._known[1] if self._known else None

    def card(self) -> dict[str, Any]:
        """Where the run stands, ready for JSON; of one that cannot be read, why not."""
        try:
            end, checkpoint = read_end(self.folder), self.latest()
        except (TrainingError, OSError) as error:
            return {"name": self.name, "problem": str(error)}
        config = None if checkpoint is None else self.config(checkpoint)
        card = {"name": self.name, "problem": None, "checkpoint": None if checkpoint is None else step_of(checkpoint)}
        return card | standing(end) | (facts(config, (end and end.line) or {}) if config else {})


def understood(checkpoint: Path) -> TrainConfig | None:
    """The configuration that a checkpoint records, without what the run began from, if this version knows its keys."""
    try:
        values = read_record(checkpoint).get("config", {})
        return TrainConfig.from_dict(values | {"init": SCRATCH, "lora": None})
    except (CutawayError, TypeError, ValueError, KeyError, AttributeError):
        return None


def standing(end: End | None) -> dict[str, Any]:
    """How far the log of a run goes and how old its end is."""
    line = (end and end.line) or {}
    return {
        "step": line.get("step"),
        "elapsed_s": line.get("elapsed_s"),
        "finished": FINAL in line,
        "age_s": None if end is None else max(0.0, time.time() - end.written_s),
        "cursor": str(Cursor() if end is None else end.cursor),
    }


def facts(config: TrainConfig, line: Line | Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a run from its configuration, and what share of it is done."""
    elapsed_s = line.get("elapsed_s")
    return {
        "steps": config.steps,
        "share": progress(line["step"], config.steps, elapsed_s, config.max_minutes)
        if isinstance(elapsed_s, int | float)
        else None,
        "parameters": anatomy(config.model).parameters,
        "block_size": config.model.block_size,
        "sample_every": config.sample_every,
        "sample_prompt": config.sample_prompt,
    }
