"""Requests on their way through an engine, listened to from an event loop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from cutaway.engine import Ended, Event, Receiver, Request, Wrote
from cutaway.server.api_error import SERVER, ApiError, api_error
from cutaway.server.metrics import Metrics
from cutaway.server.served_model import ServedModel


class Submission:
    """Some requests handed to an engine together; leaving the `with` block cancels what has not ended.

    Raises: GenerationError or QueueFullError for a request that the engine refuses; then it does none of them.
    """

    def __init__(self, model: ServedModel, requests: Sequence[Request], metrics: Metrics) -> None:
        self._model, self._metrics = model, metrics
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._asked = time.monotonic()
        self._latest: dict[tuple[int, int], float] = {}
        self._receivers: dict[int, Receiver] = {}
        try:
            for index, request in enumerate(requests):
                self._receivers[index] = model.engine.submit(request, partial(self._hear, index))
        except BaseException:
            self.cancel()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def __aiter__(self) -> AsyncIterator[tuple[int, Event]]:
        """What happens to the requests, each event with the request's place; ends when all have.

        Raises: ApiError for a request that did not finish.
        """
        while self._receivers:
            index, event = await self._events.get()
            if isinstance(event, Ended):
                del self._receivers[index]
                raise_for(event)
            elif isinstance(event, Wrote):
                self._count(index, event)
            yield index, event
        self._metrics.answered(self._model.name, time.monotonic() - self._asked)

    def cancel(self) -> None:
        """Give up what has not ended; its places are free before the engine's next step."""
        for receiver in self._receivers.values():
            receiver.cancel()
        self._receivers = {}

    def _hear(self, index: int, event: Event) -> None:
        # Called in the engine's thread; a loop that has closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, (index, event))

    def _count(self, index: int, event: Wrote) -> None:
        now, sample = time.monotonic(), (index, event.step.sample)
        if not self._latest:
            self._metrics.first_token(self._model.name, now - self._asked)
        if sample in self._latest:
            self._metrics.next_token(self._model.name, now - self._latest[sample])
        self._latest[sample] = now
        if event.step.finish_reason is not None:
            self._metrics.finished(self._model.name, event.step.finish_reason)


def raise_for(event: Ended) -> None:
    """Nothing for a request that finished.

    Raises: ApiError saying why it did not.
    """
    if event.reason == "timed out":
        raise ApiError(504, str(event.error), kind=SERVER, code="timeout")
    if event.reason == "cancelled":
        raise ApiError(503, "the server is stopping; ask again", kind=SERVER, code="stopping")
    if event.error is not None:
        raise api_error(event.error) from event.error
