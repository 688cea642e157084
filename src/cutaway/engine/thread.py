"""An engine in a thread of its own, which others ask from theirs."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from cutaway.engine.engine import Engine, check_queue, seeded
from cutaway.engine.event import Ended, Event
from cutaway.engine.limits import EngineLimits
from cutaway.engine.receiver import Receiver
from cutaway.engine.request import Request
from cutaway.engine.statistics import Statistics
from cutaway.errors import EngineError


class EngineThread:
    """The thread in which an engine works, from now until `stop` or the end of a `with` block.

    Nobody but this thread touches the engine. Others leave orders, which it takes between steps; it sleeps when there
    is nothing to do, and the next order wakes it. Should the engine itself break, every listener is told, and so is
    whoever asks or stops it afterwards.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        # These five belong to `_changed`.
        self._submitted: list[Receiver] = []
        self._cancelled: list[Receiver] = []
        self._statistics = engine.statistics
        self._stopping = self._cancel_all = False
        self._fault: BaseException | None = None
        # This one belongs to the thread.
        self._receivers: dict[int, Receiver] = {}
        self._thread = threading.Thread(target=self._work, name="cutaway engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(drain=kind is None)

    @property
    def statistics(self) -> Statistics:
        """The engine's, as of its last step."""
        with self._changed:
            return self._statistics

    @property
    def limits(self) -> EngineLimits:
        """The engine's."""
        return self._engine.limits

    @property
    def alive(self) -> bool:
        """Whether it takes requests."""
        with self._changed:
            return self._fault is None and not self._stopping

    def submit(self, request: Request, hear: Callable[[Event], None] | None = None) -> Receiver:
        """Ask for a request to be served; returns at once.

        Raises: GenerationError for a request that could never be served; QueueFullError when too many wait;
            EngineError when the engine has stopped.
        """
        self._engine.check(request)
        receiver = Receiver(seeded(request), self._cancel, hear)
        with self._changed:
            self._refuse_if_stopped()
            unseen = sum(other.request.params.n for other in self._submitted)
            check_queue(self._statistics.waiting + unseen, request, self._engine.limits)
            self._submitted.append(receiver)
            self._changed.notify()
        return receiver

    def stop(self, *, drain: bool = True, timeout_s: float | None = None) -> None:
        """Take no more requests, finish those there are, or with `drain=False` cancel them, and end the thread.

        Raises: EngineError when that takes longer than `timeout_s`, or when the engine broke.
        """
        with self._changed:
            self._stopping = True
            self._cancel_all = self._cancel_all or not drain
            self._changed.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EngineError(f"the engine is still at work after {timeout_s:g} s; wait, or stop with drain=False")
        if self._fault is not None:
            raise EngineError(f"the engine broke: {self._fault!r}") from self._fault

    def _cancel(self, receiver: Receiver) -> None:
        with self._changed:
            self._cancelled.append(receiver)
            self._changed.notify()

    def _refuse_if_stopped(self) -> None:
        if self._fault is not None:
            raise EngineError(f"the engine broke: {self._fault!r}; make a new one") from self._fault
        if self._stopping:
            raise EngineError("the engine has been stopped; make a new one")

    # What follows runs in the thread.

    def _work(self) -> None:
        try:
            while self._take_orders():
                events = self._engine.step()
                with self._changed:  # before anybody hears of the step, who may then ask
                    self._statistics = self._engine.statistics
                for event in events:
                    self._receivers[event.request].put(event)
                    if isinstance(event, Ended):
                        del self._receivers[event.request]
        except BaseException as error:  # noqa: BLE001 - it is told to everybody who listens, asks or stops
            self._break(error)

    def _take_orders(self) -> bool:
        """Wait for something to do and carry out the orders; returns whether there is, or may be, more to do."""
        with self._changed:
            self._changed.wait_for(self._awake)
            submitted, cancelled = list(self._submitted), self._cancelled
            self._cancelled = []
            stopping, cancel_all = self._stopping, self._cancel_all
        for receiver in submitted:
            self._receivers[self._engine.add(receiver.request)] = receiver
        for number, receiver in self._receivers.items():
            if cancel_all or receiver in cancelled:
                self._engine.cancel(number)
        with self._changed:
            # Only now does the engine count these among those that wait, so only now do they leave the other count.
            del self._submitted[: len(submitted)]
            self._statistics = self._engine.statistics
        return self._engine.busy or not stopping

    def _awake(self) -> bool:
        return bool(self._submitted or self._cancelled or self._stopping or self._engine.busy)

    def _break(self, error: BaseException) -> None:
        """Remember the fault and tell everybody, those included whose requests were not taken yet."""
        with self._changed:
            self._fault = error
            known = dict(self._receivers)
            untaken = [receiver for receiver in self._submitted if receiver not in known.values()]
        fault = EngineError(f"the engine broke: {error!r}")
        fault.__cause__ = error
        for number, receiver in [*known.items(), *((-1, receiver) for receiver in untaken)]:
            receiver.put(Ended(request=number, reason="failed", error=fault))
