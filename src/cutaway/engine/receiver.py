"""Where the one who asked hears of a request that an engine's thread serves."""

import queue
from collections.abc import Callable, Iterator

from cutaway.engine.event import Ended, Event, Outcome, outcome_of
from cutaway.engine.request import Request


class Receiver:
    """The events of one request, in order, for one listener in any thread; the last one is `Ended`.

    It holds what has not been listened to, at most one event a token; or tells it to `hear` at once, in the engine's
    thread, which must neither wait nor raise.
    """

    def __init__(
        self, request: Request, cancel: Callable[["Receiver"], None], hear: Callable[[Event], None] | None = None
    ) -> None:
        self.request, self._cancel = request, cancel
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._hear = hear or self._events.put

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self.get()
            yield event
            if isinstance(event, Ended):
                return

    def get(self, timeout_s: float | None = None) -> Event:
        """The next event, waiting for it.

        Raises: queue.Empty when none came in that time.
        """
        return self._events.get(timeout=timeout_s)

    def put(self, event: Event) -> None:
        """What the engine's thread tells."""
        self._hear(event)

    def cancel(self) -> None:
        """Ask for the request's end, which comes as an event; after that nothing happens."""
        self._cancel(self)

    def outcome(self) -> Outcome:
        """All that became of the request, waiting for its end."""
        return outcome_of(self.request, self)
