"""The newest checkpoint of a run as a model in memory: one at a time, whatever becomes of its folder."""

import copy
from pathlib import Path
from typing import Any

from cutaway import language_model
from cutaway.errors import CutawayError
from cutaway.language_model import LanguageModel
from cutaway.server.api_error import SERVER, ApiError
from cutaway.server.runs.watched_run import WatchedRun
from cutaway.train.checkpoint_folder import step_of
from cutaway.train.lora import has_adapter
from cutaway.train.merge import merged_model

ATTEMPTS = 3
"""A checkpoint may be let go of while it is read; then there is a newer one."""


class Held:
    """The model that was asked for last, kept until a newer checkpoint, or another run's, takes its place."""

    def __init__(self) -> None:
        self._sign: tuple[Any, ...] = ()
        self._model: LanguageModel | None = None

    def model(self, run: WatchedRun) -> tuple[LanguageModel, Path]:
        """A run's newest checkpoint as a model, and where it lies.

        Raises: ApiError when there is none, or it cannot be loaded.
        """
        for _ in range(ATTEMPTS):
            path = newest(run)
            try:
                return self._loaded(run, path), path
            except (CutawayError, OSError) as error:
                fault = error
            if path.is_dir():
                raise ApiError(
                    503,
                    f"the checkpoint of {run.name!r} at step {step_of(path):,} cannot be loaded: {fault}",
                    kind=SERVER,
                    code="not_loaded",
                )
        raise ApiError(
            503,
            f"the checkpoints of {run.name!r} come and go faster than they can be read; ask again in a moment",
            kind=SERVER,
            code="checkpoint_gone",
        )

    def _loaded(self, run: WatchedRun, path: Path) -> LanguageModel:
        # A run that began anew may have a checkpoint of the same step.
        sign = (path, path.stat().st_ino, path.stat().st_mtime_ns)
        if self._model is None or sign != self._sign:
            self._sign, self._model = (), None  # let go of first, so that there are never two
            self._model, self._sign = opened(path, run.name), sign
        return self._model


def newest(run: WatchedRun) -> Path:
    """Where a run's newest checkpoint lies.

    Raises: ApiError when there is none.
    """
    try:
        found = run.latest()
    except OSError:  # the folder went away while it was looked into
        found = None
    if found is None:
        raise ApiError(
            404, f"the run {run.name!r} has no checkpoint yet, or no more; wait for one", code="no_checkpoint"
        )
    return found


def opened(path: Path, name: str) -> LanguageModel:
    """A checkpoint as a model on the CPU, in memory of its own: a GPU's is the training's.

    Raises: CutawayError when it is missing, damaged, or an addition to a model that is not to be had.
    """
    if has_adapter(path):
        model, tokenizer = merged_model(path)
        return LanguageModel(model, tokenizer, name)
    mapped = language_model.load(path, device="cpu")
    # Where a file that is mapped cannot be deleted, the run could not let go of this checkpoint.
    return LanguageModel(copy.deepcopy(mapped.model), mapped.tokenizer, name)
