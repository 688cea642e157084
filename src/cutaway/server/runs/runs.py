"""The runs that a server shows, by name, and what their newest checkpoints are asked."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cutaway.errors import TrainingError, did_you_mean
from cutaway.language_model import LanguageModel
from cutaway.server.api_error import SERVER, ApiError
from cutaway.server.inside.opened import Opened
from cutaway.server.runs.held import Held
from cutaway.server.runs.watched_run import WatchedRun
from cutaway.train.checkpoint_folder import step_of
from cutaway.train.log_tail import Cursor, Page

Question = Callable[[LanguageModel, WatchedRun, Path], dict[str, Any]]
"""Asked of a model: that of a run, from the checkpoint at a path."""


class Runs:
    """The watched runs, and one model in memory for all of them."""

    def __init__(self, watched: Mapping[str, WatchedRun] | None = None) -> None:
        self._watched = dict(watched or {})
        self._held = Opened("runs", Held)

    def cards(self) -> list[dict[str, Any]]:
        """Where each run stands."""
        return [run.card() for run in self._watched.values()]

    def run(self, name: str) -> WatchedRun:
        """The run of that name.

        Raises: ApiError when the server shows none.
        """
        if name not in self._watched:
            hint = did_you_mean(name, self._watched) if self._watched else "start the server with --run FOLDER"
            raise ApiError(404, f"there is no run {name!r} here; {hint}", code="run_not_found")
        return self._watched[name]

    def log(self, name: str, since: str) -> Page:
        """Lines of a run's log, those after a cursor.

        Raises: ApiError when there is no such run or cursor, or the log cannot be read.
        """
        run = self.run(name)
        try:
            cursor = Cursor.parse(since)
        except TrainingError as error:
            raise ApiError(400, str(error), param="since") from None
        try:
            return run.log(cursor)
        except TrainingError as error:
            raise ApiError(503, str(error), kind=SERVER, code="run_unreadable") from None

    async def ask(self, name: str, question: Question) -> dict[str, Any]:
        """What a question gives that is asked of a run's newest checkpoint, and that one's step.

        Raises: ApiError when there is no such run, no checkpoint, or it cannot be loaded; what the question raises.
        """
        run = self.run(name)

        def answer(held: Held) -> dict[str, Any]:
            gpt, path = held.model(run)
            return {"step": step_of(path), **question(gpt, run, path)}

        return await self._held.ask(answer)

    def close(self) -> None:
        """Take no more questions."""
        self._held.close()
