"""What the server serves: models by name, loaded in the background while it says that it is not ready, and runs."""

import logging
import threading
from collections.abc import Callable, Sequence

from cutaway.errors import CutawayError, did_you_mean
from cutaway.server.api_error import SERVER, ApiError
from cutaway.server.metrics import Metrics
from cutaway.server.runs.runs import Runs
from cutaway.server.served_model import ServedModel

log = logging.getLogger("cutaway.server")

Loader = Callable[[], Sequence[ServedModel]]


class Service:
    """The served models, the first of which answers where none is named, and the counts of what they did.

    `load` makes the models. `begin` calls it in a thread, so that the server can say at once that it is alive; should
    it fail, `failed` is called there. `runs` are the training runs that are shown beside them.
    """

    def __init__(self, load: Loader, failed: Callable[[], None] = lambda: None, runs: Runs | None = None) -> None:
        self._load, self.failed, self.runs = load, failed, runs or Runs()
        self._models: dict[str, ServedModel] = {}
        self._fault: Exception | None = None
        self._done = threading.Event()
        self.metrics = Metrics(self._statistics)

    def begin(self) -> None:
        """Start loading; returns at once."""
        threading.Thread(target=self._work, name="cutaway loading", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the models are there.

        Raises: the error that kept them from loading.
        """
        self._done.wait(timeout_s)
        if self._fault is not None:
            raise self._fault

    @property
    def ready(self) -> bool:
        """Whether the models are there, and their engines whole."""
        return bool(self._models) and all(model.engine.alive for model in self._models.values())

    @property
    def models(self) -> list[ServedModel]:
        """The models, in the order given.

        Raises: ApiError while they are being loaded, or if that failed.
        """
        if not self._done.is_set():
            raise ApiError(503, "the model is still being loaded; try again in a moment", kind=SERVER, code="loading")
        if self._fault is not None:
            raise ApiError(503, f"the model could not be loaded: {self._fault}", kind=SERVER, code="not_loaded")
        return list(self._models.values())

    def model(self, name: str | None = None) -> ServedModel:
        """The model of that name, or the first.

        Raises: ApiError when there is none, or not yet.
        """
        models = self.models
        if name is None:
            return models[0]
        if name not in self._models:
            hint = did_you_mean(name, self._models)
            raise ApiError(404, f"there is no model {name!r} here; {hint}", param="model", code="model_not_found")
        return self._models[name]

    def stop(self, timeout_s: float) -> None:
        """End the engines, and with them what they are still at."""
        self.runs.close()
        for model in self._models.values():
            try:
                model.stop(timeout_s)
            except CutawayError as error:
                log.error(str(error), extra={"model": model.name})

    def _work(self) -> None:
        try:
            self._models = {model.name: model for model in self._load()}
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits or asks
            self._fault = error
        self._done.set()
        if self._fault is not None:
            self.failed()

    def _statistics(self) -> list[tuple[ServedModel, int]]:
        return [(model, model.context) for model in self._models.values()]
